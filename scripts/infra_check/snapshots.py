"""The templates as evaluated by the compiler: one shape for each parameter file in infra/snapshots."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DIGEST = "templates.sha256"
_TEMPLATES = (".bicep", ".bicepparam", ".kql")
_LAST_PART = re.compile(r"'([^']*)'\)\]$")


@dataclass(frozen=True)
class Resource:
    """One resource that a deployment would create; what only Azure knows is left as an expression in brackets."""

    type: str
    name: str
    properties: dict[str, Any]
    tags: dict[str, str]
    location: str | None

    @property
    def last_name(self) -> str:
        """The last part of the name: `requests` of `<account>/default/requests`."""
        found = _LAST_PART.search(self.name)
        return found[1] if found else self.name.rpartition("/")[2]


@dataclass(frozen=True)
class Shape:
    """Everything that one set of parameters creates."""

    name: str
    resources: list[Resource]
    outputs: dict[str, Any]
    diagnostics: list[str]

    def of(self, kind: str) -> list[Resource]:
        """The resources of one type."""
        return [resource for resource in self.resources if resource.type == kind]


def shapes(infra: Path) -> list[Path]:
    """The parameter files, in order."""
    return sorted((infra / "snapshots").glob("*.bicepparam"))


def load(infra: Path) -> list[Shape]:
    """Each shape that has a snapshot; `outdated` names the others."""
    return [_read(path) for shape in shapes(infra) if (path := _beside(shape)).is_file()]


def outdated(infra: Path) -> list[str]:
    """What has to be renewed: missing snapshots, and all of them if a template is newer."""
    missing = [
        f"{shape.name} has no snapshot: run `make infra-snapshots`"
        for shape in shapes(infra)
        if not _beside(shape).is_file()
    ]
    path = infra / "snapshots" / DIGEST
    noted = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    newer = noted != digest(infra)
    return [*missing, *(["a template is newer than the snapshots: run `make infra-snapshots`"] if newer else [])]


def note(infra: Path) -> None:
    """Records the templates that the snapshots were made from."""
    (infra / "snapshots" / DIGEST).write_text(f"{digest(infra)}\n", encoding="utf-8")


def digest(infra: Path) -> str:
    """A fingerprint of templates, queries and parameter files. Line endings do not count, since git may change them."""
    whole = hashlib.sha256()
    for path in sorted(path for path in infra.rglob("*") if path.suffix in _TEMPLATES):
        whole.update(path.relative_to(infra).as_posix().encode() + b"\0")
        whole.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return whole.hexdigest()


def _beside(shape: Path) -> Path:
    return shape.with_suffix(".snapshot.json")


def _read(path: Path) -> Shape:
    whole = json.loads(path.read_text(encoding="utf-8"))
    resources = [
        Resource(each["type"], each["name"], each.get("properties") or {}, each.get("tags") or {}, each.get("location"))
        for each in whole["predictedResources"]
    ]
    return Shape(path.name.partition(".")[0], resources, whole["outputs"], whole["diagnostics"])
