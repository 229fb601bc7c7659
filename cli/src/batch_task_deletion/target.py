"""Which app a command calls, and with which key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from batch_task_deletion.address import api_url
from batch_task_deletion.azd import azd_app
from batch_task_deletion.faults import Usage
from batch_task_deletion.keys import checked_key, key_of_file

URL_VARIABLE = "BATCH_TASK_DELETION_URL"
KEY_VARIABLE = "BATCH_TASK_DELETION_KEY"


@dataclass(frozen=True)
class Target:
    """The app's address, ending in `/api`, and the key, if there is one; `repr` hides it."""

    url: str
    key: str | None = field(repr=False, default=None)
    remark: str = ""
    """A note for the user about the choice."""


def choose(url: str | None, key_file: Path | None, *, azd: bool, environment: Mapping[str, str]) -> Target:
    """Options win over environment variables. Raises Usage, and OutOfReach if azd's app gives no key.

    A key from the environment is sent only to the address from the environment: it belongs to that app.
    """
    if azd:
        if url is not None or key_file is not None:
            raise Usage("--azd cannot be combined with --url or --key-file")
        app = azd_app()
        return Target(api_url(app.url), app.key)
    own_url = environment.get(URL_VARIABLE, "").strip()
    if url is None and not own_url:
        raise Usage(f"the app's address is missing: set {URL_VARIABLE}, or give --url or --azd")
    address = api_url(own_url if url is None else url)
    if key_file is not None:
        return Target(address, key_of_file(key_file))
    own_key = environment.get(KEY_VARIABLE, "").strip()
    if not own_key:
        return Target(address)
    if url is not None and not _same(address, own_url):
        return Target(
            address, remark=f"{KEY_VARIABLE} belongs to {URL_VARIABLE} and is not sent to --url; use --key-file"
        )
    return Target(address, checked_key(own_key, KEY_VARIABLE))


def _same(address: str, other: str) -> bool:
    try:
        return api_url(other) == address
    except Usage:
        return False
