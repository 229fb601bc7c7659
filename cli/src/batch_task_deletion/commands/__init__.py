"""The commands, grouped by subject; each returns its exit code."""

from __future__ import annotations

from importlib import import_module

_MODULES = ("deleting", "starting", "looking", "letters", "reports")


def add_all() -> None:
    """Registers every command, in the order in which the help lists them."""
    for name in _MODULES:
        import_module(f"{__name__}.{name}")
