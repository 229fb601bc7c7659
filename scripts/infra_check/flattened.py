"""`python -m scripts.infra_check.flattened FOLDER`: each snapshot as one flat ARM template, for tools without Bicep."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


def main(arguments: list[str]) -> int:
    """The exit code."""
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for snapshot in sorted((ROOT / "infra" / "snapshots").glob("*.snapshot.json")):
        resources = json.loads(snapshot.read_text(encoding="utf-8"))["predictedResources"]
        template = {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": resources}
        target = folder / f"{snapshot.name.partition('.')[0]}.json"
        target.write_text(json.dumps(template, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
