"""How the host and its worker log: to standard error, one line per record."""

from __future__ import annotations

import logging
import sys


def set_up_logging(*, quiet: bool) -> None:
    """Sets up logging; only warnings and errors if `quiet`."""
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    for chatty in ("azure", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
