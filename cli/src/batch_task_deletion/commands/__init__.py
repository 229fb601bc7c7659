"""The commands, one module for those that belong together; each returns its exit code."""

from __future__ import annotations

from importlib import import_module

_MODULES = ("deleting", "starting", "looking", "letters", "reports")


def add_all() -> None:
    """Adds every command to the program, in the order in which the help shows them."""
    for name in _MODULES:
        import_module(f"{__name__}.{name}")
