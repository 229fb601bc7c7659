"""`make bench`: measures against the local stack. ARGS="--tasks 10000 --kill" for the large job."""

from __future__ import annotations

import argparse
import sys

from bench.against_a_loop import against_a_loop
from bench.whole_job import whole_job


def main() -> int:
    """Runs; 0 when what was measured also came out right."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--tasks", type=int, default=1_000, help="completed tasks of the job")
    parser.add_argument("--running", type=int, default=200, help="tasks that must be left alone")
    parser.add_argument("--kill", action="store_true", help="SIGKILL the host in the middle")
    parser.add_argument("--seconds", type=float, default=3_600, help="gives up after this long")
    parser.add_argument("--loop", action="store_true", help="the app beside a loop, in place of a whole job")
    arguments = parser.parse_args()
    if arguments.loop:
        return 0 if against_a_loop(arguments.tasks, arguments.seconds) else 1
    right = whole_job(arguments.tasks, arguments.running, kill=arguments.kill, seconds=arguments.seconds)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
