"""`python -m scripts.infra_check`: prints every problem in infra/, and exits with 1 if there is one.

`--write` renews the snapshots.
"""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.infra_check import compiler, contract, snapshots

ROOT = Path(__file__).resolve().parents[2]


def problems(infra: Path, root: Path, bicep: Path | None) -> list[str]:
    """Every problem in a folder of templates. `root` is the folder of the app that they deploy."""
    compiled = compiler.problems(bicep, infra) if bicep else snapshots.outdated(infra)
    return [*compiled, *contract.problems(snapshots.load(infra), infra, root)]


def main(arguments: list[str]) -> int:
    """The exit code."""
    infra = ROOT / "infra"
    bicep = compiler.find()
    if "--write" in arguments:
        if bicep is None:
            print(f"no snapshots made: {compiler.MISSING}", file=sys.stderr)
            return 1
        compiler.write_snapshots(bicep, infra)
        return 0
    found = problems(infra, ROOT, bicep)
    for problem in found:
        print(problem)
    judged = f"{len(found)} problem(s) in {infra.name}/"
    print(
        f"{judged}, compiled with {bicep}"
        if bicep
        else f"{judged}; NOT COMPILED, committed snapshots only: {compiler.MISSING}"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
