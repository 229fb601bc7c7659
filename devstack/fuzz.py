"""`make fuzz`: a bounded run of schemathesis against the local stack; every answer must fit the description.

It makes calls that follow /api/openapi.json, and calls that break it in one place each, and checks each answer: no 5xx,
and no status, content type or body that the document does not describe.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from devstack.stack import Stack

ROOT = Path(__file__).resolve().parent.parent
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
LEAST_CALLS = 2_000


def main() -> int:
    """Runs; returns 0 if nothing was found in at least the expected number of calls."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--schemathesis", type=Path, required=True, help="its command")
    parser.add_argument(
        "--examples", type=int, default=150, help="calls for each operation, beside the systematic ones"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1_800, help="gives up after this long")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Stack(ROOT) as stack:
        report = Path(folder, "calls.ndjson")
        command = [
            str(arguments.schemathesis.absolute()),
            "run",
            f"{stack.http_url}/api/openapi.json",
            f"--url={stack.http_url}/api",
            f"--checks={','.join(CHECKS)}",
            "--phases=coverage,fuzzing",
            f"--max-examples={arguments.examples}",
            f"--seed={arguments.seed}",
            "--continue-on-failure",
            "--suppress-health-check=all",
            "--warnings=off",
            "--no-color",
            "--request-timeout=60",
            "--workers=2",
            f"--report-ndjson-path={report}",
        ]
        # It keeps what it found in the folder that it runs in.
        found = subprocess.run(command, cwd=folder, timeout=arguments.seconds, check=False).returncode
        calls = calls_in(report)
    sys.stdout.write(f"{calls} calls, at least {LEAST_CALLS} wanted\n")
    return found or int(calls < LEAST_CALLS)


def calls_in(report: Path) -> int:
    """The number of calls in a report of schemathesis."""
    return sum(_calls_of(json.loads(line)) for line in report.read_text().splitlines())


def _calls_of(event: object) -> int:
    if isinstance(event, dict):
        return sum(
            len(value) if name == "interactions" and isinstance(value, dict | list) else _calls_of(value)
            for name, value in event.items()
        )
    return sum(map(_calls_of, event)) if isinstance(event, list) else 0


if __name__ == "__main__":
    sys.exit(main())
