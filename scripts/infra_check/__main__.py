"""`python -m scripts.infra_check [infra]`: prints every problem of the templates; exit code 1 when there is one."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.infra_check.verdict import problems


def main(arguments: list[str]) -> int:
    """The exit code."""
    folder = Path(arguments[0] if arguments else "infra")
    found = problems(folder, Path())
    for problem in found:
        print(problem)
    print(f"{folder}: {len(found)} problem(s). Parsed and checked, not compiled: no Bicep compiler was run.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
