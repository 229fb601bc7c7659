"""The function key: its sources and its form. It is never shown."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from batch_task_deletion.faults import Usage
from batch_task_deletion.text import escaped

_KEY = re.compile(r"[!-~]{1,1024}")
_MOST_BYTES = 4096
_READ_BY_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def checked_key(text: str, where: str) -> str:
    """The key without surrounding whitespace. Raises Usage, which names the source but not the key."""
    key = text.strip()
    if not _KEY.fullmatch(key):
        raise Usage(f"{where} must be a function key: one line of printable ASCII without spaces")
    return key


def key_of_file(path: Path) -> str:
    """The key from a file that only its owner can read. Raises Usage."""
    try:
        with path.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            # Windows has no such permission bits.
            if os.name == "posix" and mode & _READ_BY_OTHERS:
                raise Usage(f"others can read the key file {escaped(path)}; run chmod 600 on it")
            content = opened.read(_MOST_BYTES)
    except OSError as fault:
        raise Usage(f"the key file {escaped(path)} cannot be read: {fault.strerror}") from None
    return checked_key(content.decode("latin-1"), f"the key file {escaped(path)}")
