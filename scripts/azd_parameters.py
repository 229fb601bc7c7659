"""Prints `NAME=value` for each variable in $VARIABLES (JSON) that infra/main.parameters.json uses and that has a value.

The deployment workflow appends the output to its environment. Empty variables are left out: azd would read them as
empty lists or numbers, which it refuses.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

PARAMETERS = Path(__file__).resolve().parents[1] / "infra" / "main.parameters.json"


def asked_for(parameters: str) -> set[str]:
    """The variables that a parameter file takes its values from."""
    return set(re.findall(r"\$\{([A-Z_]+)\}", parameters))


def assignments(variables: Mapping[str, str], names: set[str]) -> list[str]:
    """The lines for a workflow's environment file, without line breaks in values: they would begin another variable."""
    return [f"{name}={' '.join(variables[name].split())}" for name in sorted(names) if variables.get(name, "").strip()]


def main() -> int:
    """The exit code."""
    for line in assignments(json.loads(os.environ["VARIABLES"]), asked_for(PARAMETERS.read_text(encoding="utf-8"))):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
