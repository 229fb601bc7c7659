"""Whether the files hang together: names, modules, parameters, outputs, pinned versions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scripts.infra_check.pinned import API_VERSIONS
from scripts.infra_check.template import BicepFile, Node, identifiers, paths


def problems(files: dict[Path, BicepFile], main: Path) -> Iterator[str]:
    """One sentence for each fault in the structure of the files."""
    used_files = {main}
    for file in files.values():
        yield from _names(file)
        yield from _versions(file)
        for name in file.modules:
            target = file.module_path(name)
            used_files.add(target)
            if target in files:
                yield from _call(file, name, files[target])
            else:
                yield f"{file.path.name}: module {name} stands in no file"
    yield from (f"{path.name}: no module uses this file" for path in files if path not in used_files)
    yield from _unused_versions(files)


def _names(file: BicepFile) -> Iterator[str]:
    expressions = _expressions(file)
    used = {name for node in expressions for name in identifiers(node)}
    for name in sorted(used - file.symbols()):
        yield f"{file.path.name}: {name} is used and not declared"
    for name in sorted({*file.parameters, *file.variables} - used):
        yield f"{file.path.name}: {name} is declared and not used"


def _versions(file: BicepFile) -> Iterator[str]:
    for symbol, resource in file.resources.items():
        kind, version = resource["type"], resource["api_version"]
        if API_VERSIONS.get(kind) != version:
            yield f"{file.path.name}: {symbol} is of {kind}@{version}, which is not pinned"


def _unused_versions(files: dict[Path, BicepFile]) -> Iterator[str]:
    used = {str(resource["type"]) for file in files.values() for resource in file.resources.values()}
    yield from (f"{kind} is pinned and not used" for kind in sorted(API_VERSIONS.keys() - used))


def _call(caller: BicepFile, name: str, module: BicepFile) -> Iterator[str]:
    passed = set(_body(caller.modules[name]["config"]).get("params", {}))
    required = {key for key, parameter in module.parameters.items() if parameter["default"] is None}
    place = f"{caller.path.name}: module {name}"
    for parameter in sorted(required - passed):
        yield f"{place} does not get {parameter}"
    for parameter in sorted(passed - module.parameters.keys()):
        yield f"{place} gets {parameter}, which it does not declare"
    read = {path[2] for node in _expressions(caller) for path in paths(node) if path[:2] == [name, "outputs"]}
    for output in sorted(read - module.outputs.keys()):
        yield f"{place} has no output {output}"


def _expressions(file: BicepFile) -> list[Node]:
    return [
        *(parameter["default"] for parameter in file.parameters.values()),
        *(variable["value"] for variable in file.variables.values()),
        *(resource["config"] for resource in file.resources.values()),
        *(module["config"] for module in file.modules.values()),
        *(output["value"] for output in file.outputs.values()),
    ]


def _body(config: Node) -> dict[str, Node]:
    wrapped = "loop_type" in config or ("condition" in config and "config" in config)
    return dict(config["config"] if wrapped else config)
