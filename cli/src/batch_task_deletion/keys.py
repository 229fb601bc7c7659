"""The function key: where it may come from, and what it may look like. It is never shown."""

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
    """A key without the blanks and the line end around it. Raises Usage, which names the place and not the key."""
    key = text.strip()
    if not _KEY.fullmatch(key):
        raise Usage(f"{where} holds no function key: one line of printable ASCII without blanks")
    return key


def key_of_file(path: Path) -> str:
    """The key in a file that nobody but its owner can read. Raises Usage."""
    try:
        with path.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            # Windows keeps no such bits.
            if os.name == "posix" and mode & _READ_BY_OTHERS:
                raise Usage(f"others can read the key file {escaped(path)}; chmod 600 keeps it to you")
            content = opened.read(_MOST_BYTES)
    except OSError as fault:
        raise Usage(f"the key file {escaped(path)} cannot be read: {fault.strerror}") from None
    return checked_key(content.decode("latin-1"), f"the key file {escaped(path)}")
