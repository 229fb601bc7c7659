"""The app's functions, read once, because the library collects their names again at every call."""

from __future__ import annotations

from functools import cache
from typing import Any

import function_app


@cache
def functions() -> tuple[Any, ...]:
    """Every function of the app with its trigger."""
    return tuple(function_app.app.get_functions())
