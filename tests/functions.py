"""The functions of the app, looked at once: their names pile up in the library at every call."""

from __future__ import annotations

from functools import cache
from typing import Any

import function_app


@cache
def functions() -> tuple[Any, ...]:
    """Every function with its trigger."""
    return tuple(function_app.app.get_functions())
