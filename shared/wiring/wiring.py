"""The app of this process: built from the environment at its first use.

The modules that it is built from are imported only then: the host indexes an app's functions before it sends any
work, and needs no more than their decorators for that.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.wiring.connect import Runtime
    from shared.wiring.services import App


class Wiring:
    """Builds the app at first use; if that fails, the next use tries again."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._lock = Lock()
        self._built: Runtime | None = None

    def connected(self) -> Runtime:
        """The connected app. Raises InvalidConfiguration."""
        with self._lock:
            if self._built is None:
                from shared.settings import Settings
                from shared.wiring.connect import connect
                from shared.wiring.telemetry import telemetry_of

                self._built = connect(Settings.from_env(self._env), telemetry_of(self._env))
            return self._built

    def app(self) -> App:
        """The app. Raises InvalidConfiguration."""
        return self.connected().app


WIRING = Wiring(os.environ)
