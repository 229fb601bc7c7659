"""Runs the Batch simulator until SIGTERM: `python -m devstack.batch --port 0` prints its URL as one line when ready."""

from __future__ import annotations

import argparse
import os

from devstack.batch.simulator import BatchSimulator
from devstack.loopback import run_until_signalled
from devstack.tokens import DEFAULT_SIGNING_KEY, SIGNING_KEY_VARIABLE


def main() -> None:
    """Reads the command line and serves."""
    parser = argparse.ArgumentParser(prog="python -m devstack.batch", description="A simulated Azure Batch account.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="added to every call")
    parser.add_argument("--transition-ms", type=float, default=500.0, help="how long jobs take to end or to go")
    parser.add_argument(
        "--signing-key",
        default=os.environ.get(SIGNING_KEY_VARIABLE, DEFAULT_SIGNING_KEY),
        help=f"shared with the identity endpoint; by default {SIGNING_KEY_VARIABLE} of the environment",
    )
    arguments = parser.parse_args()
    simulator = BatchSimulator(
        port=arguments.port,
        signing_key=arguments.signing_key,
        latency_seconds=arguments.latency_ms / 1000,
        transition_seconds=arguments.transition_ms / 1000,
    )
    run_until_signalled(simulator.server)


if __name__ == "__main__":
    main()
