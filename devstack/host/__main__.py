"""Command line of the local Functions host."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from devstack.ending import Ending
from devstack.host.app_host import AppHost, HostArguments
from devstack.host.app_settings import load_settings
from devstack.host.errors import StartUpFailed
from devstack.host.process_log import set_up_logging

_FAILED = 1


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m devstack.host", description=__doc__)
    parser.add_argument("--app", type=Path, required=True, help="directory with function_app.py and host.json")
    parser.add_argument("--port", type=int, default=7071, help="0 takes a free port")
    parser.add_argument(
        "--lease-seconds",
        type=_lease_seconds,
        default=600.0,
        help="invisibility of a received message, renewed at half; the real host's is fixed at 600",
    )
    parser.add_argument(
        "--drain-seconds",
        type=float,
        default=10.0,
        help="what work in hand gets after SIGTERM, and beside a function that ran into its time limit",
    )
    parser.add_argument("--enable-auth", action="store_true", help="ask for keys, as the cloud does")
    parser.add_argument("--settings", default="local.settings.json", help="settings file, relative to the app")
    parser.add_argument("--quiet", action="store_true", help="log warnings and errors only")
    return parser.parse_args(arguments)


def _lease_seconds(text: str) -> float:
    seconds = float(text)
    if seconds < 1:
        raise argparse.ArgumentTypeError("must be at least 1, the shortest invisibility that the service knows")
    return seconds


def main() -> int:
    """Serves the app until SIGTERM or SIGINT; 1 when it cannot start or a listener failed."""
    options = parse()
    set_up_logging(quiet=options.quiet)
    app_dir = options.app.resolve()
    arguments = HostArguments(
        app_dir, options.port, options.lease_seconds, options.drain_seconds, options.enable_auth, options.quiet
    )
    ending = Ending()
    try:
        host = AppHost(arguments, load_settings(app_dir / options.settings, os.environ), ending)
    except StartUpFailed as error:
        for reason in error.reasons:
            print(f"host cannot start: {reason}", file=sys.stderr)
        return _FAILED
    host.start()
    # One write: print() makes two of it when Python runs unbuffered, and a thread's log line gets in between.
    sys.stdout.write(f"host ready {host.url}\n")
    sys.stdout.flush()
    ending.wait()
    is_done = host.stop()
    code = _FAILED if host.fault else 0
    if not is_done:
        # Python would wait for the threads of what was abandoned.
        logging.shutdown()
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
