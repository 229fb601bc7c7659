"""Lets one process import an app afresh, and restores everything afterwards."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Mapping
from pathlib import Path

_NOT_OF_THE_APP = {"tests", "devstack", "bench", "conftest"}


class FreshApp:
    """Between `enter` and `leave`, the app's modules are imported afresh with the settings given.

    An app keeps state in its modules, so a second harness with other settings must not see the first one's.
    Modules that the tests had imported before come back unchanged: outside the harness nothing has happened.
    """

    def __init__(self, app_dir: Path, settings: Mapping[str, str]) -> None:
        self._app_dir = app_dir
        self._settings = settings
        self._environment_before: dict[str, str] = {}
        self._modules_before: dict[str, types.ModuleType] = {}

    def enter(self) -> None:
        """Applies the settings and sets the app's modules aside."""
        self._environment_before = dict(os.environ)
        os.environ.update(self._settings)
        self._modules_before = self._take_modules()
        sys.path.insert(0, str(self._app_dir))

    def leave(self) -> None:
        """Undoes `enter`."""
        self._take_modules()
        sys.modules.update(self._modules_before)
        if str(self._app_dir) in sys.path:
            sys.path.remove(str(self._app_dir))
        os.environ.clear()
        os.environ.update(self._environment_before)

    def _take_modules(self) -> dict[str, types.ModuleType]:
        names = [name for name, module in sys.modules.items() if self._is_of_app(name, module)]
        return {name: sys.modules.pop(name) for name in names}

    def _is_of_app(self, name: str, module: types.ModuleType) -> bool:
        top = name.partition(".")[0]
        origin = getattr(module, "__file__", None)
        if not origin or top in _NOT_OF_THE_APP or "site-packages" in Path(origin).parts:
            return False
        # By name, wherever it came from: a module of another app in its place would be served to this one.
        return (self._app_dir / f"{top}.py").exists() or (self._app_dir / top / "__init__.py").exists()
