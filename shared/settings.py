"""The app settings, read and checked together.

A problem names the setting and the rule, never the value, which may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from shared.errors import InvalidConfiguration
from shared.parsing import account_url, grammar, protection
from shared.parsing.retention_policy import Policy
from shared.parsing.retention_setting import read_policies
from shared.storage.connection import StorageConnection, read_connection

POISON_SUFFIX = "-poison"
"""What the host appends to a queue's name; hard-coded in the host."""

_MIN_QUEUE_NAME = 3
_MAX_QUEUE_NAME = 63 - len(POISON_SUFFIX)
# https://learn.microsoft.com/rest/api/storageservices/naming-queues-and-metadata
_QUEUE_NAME = re.compile(r"[a-z0-9](?:-?[a-z0-9])*")
# https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model
_TABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,62}")
_WHOLE = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
_API_VERSION = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[A-Za-z0-9.-]{0,32}")
_SCOPE = re.compile(r"(https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._-]+)*)/{1,2}\.default")


@dataclass(frozen=True)
class Settings:
    """Everything that an operator can configure; see docs/operations.md."""

    storage: StorageConnection
    request_queue: str
    job_completion_queue: str
    result_queue: str
    result_encoding: str
    request_table: str
    dead_letter_table: str
    batch_accounts: tuple[str, ...]
    """Canonical URLs; the first is the default."""
    batch_api_version: str
    batch_token_scope: str
    batch_credential: str
    client_id: str | None
    """Client id of the user-assigned identity for Batch; None for the system-assigned one."""
    max_attempts: int
    retry_base_seconds: float
    retry_max_seconds: float
    max_concurrency: int
    protected_jobs: tuple[str, ...]
    dead_letter_retention_days: int
    """Counted from when a dead letter was last seen."""
    job_completion_max_wait_days: int
    retention_days: int
    retention_policies: tuple[Policy, ...]
    """In order: the first policy of its account that matches a job applies to it."""
    retention_interval_hours: int
    operation_budget_seconds: float
    """The longest that one attempt may take; a claim's lease is twice that."""
    storage_timeout_seconds: float
    """For all tries of one storage call together, so that HTTP callers learn within 15 s that storage is down."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """The settings in an environment. Raises InvalidConfiguration with every problem at once."""
        problems: list[str] = []
        read = _Reader(env, problems)
        settings = cls(
            storage=read_connection(env, problems),
            request_queue=read.text("REQUEST_QUEUE_NAME", _queue_name),
            job_completion_queue=read.text("JOB_COMPLETION_QUEUE_NAME", _queue_name),
            result_queue=read.text("RESULT_QUEUE_NAME", _queue_name),
            result_encoding=read.text("RESULT_MESSAGE_ENCODING", _one_of("base64", "none"), "base64"),
            request_table=read.text("REQUEST_TABLE_NAME", _table_name, "taskdeletions"),
            dead_letter_table=read.text("DEAD_LETTER_TABLE_NAME", _table_name, "taskdeletiondeadletters"),
            batch_accounts=read.listed("BATCH_ACCOUNT_URLS", account_url.canonical, required=True),
            batch_api_version=read.text("BATCH_API_VERSION", _api_version, "2024-07-01.20.0"),
            batch_token_scope=read.text("BATCH_TOKEN_SCOPE", _scope, "https://batch.core.windows.net//.default"),
            batch_credential=read.text(
                "BATCH_CREDENTIAL", _one_of("managed_identity", "developer"), "managed_identity"
            ),
            client_id=read.text("AZURE_CLIENT_ID", _client_id, "") or None,
            max_attempts=read.whole("BATCH_MAX_ATTEMPTS", 1, 100, 12),
            retry_base_seconds=read.number("BATCH_RETRY_BASE_SECONDS", 0.05, 604_800, 5),
            retry_max_seconds=read.number("BATCH_RETRY_MAX_SECONDS", 0.05, 604_800, 900),
            max_concurrency=read.whole("BATCH_MAX_CONCURRENCY", 1, 256, 32),
            protected_jobs=read.listed("PROTECTED_JOBS", protection.check_pattern),
            dead_letter_retention_days=read.whole("DEAD_LETTER_RETENTION_DAYS", 2, 3650, 90),
            job_completion_max_wait_days=read.whole("JOB_COMPLETION_MAX_WAIT_DAYS", 0, 30, 7),
            retention_days=read.whole("REQUEST_RETENTION_DAYS", 2, 365, 15),
            retention_policies=(),
            retention_interval_hours=read.whole("RETENTION_INTERVAL_HOURS", 1, 168, 6),
            operation_budget_seconds=read.number("OPERATION_BUDGET_SECONDS", 1, 90, 90),
            storage_timeout_seconds=read.number("STORAGE_TIMEOUT_SECONDS", 1, 60, 9),
        )
        policies = read_policies(env.get("RETENTION_POLICIES", ""), settings.batch_accounts, problems)
        problems += _contradictions(settings, {problem.partition(" ")[0] for problem in problems})
        if problems:
            raise InvalidConfiguration(problems)
        return replace(settings, retention_policies=policies)


class _Reader:
    """Reads single settings and collects their problems, so that all are reported at once.

    An empty setting counts as absent, because the portal cannot tell the two apart.
    """

    def __init__(self, env: Mapping[str, str], problems: list[str]) -> None:
        self._env = env
        self._problems = problems

    def text(self, name: str, rule: Callable[[str], str], default: str | None = None) -> str:
        text = self._env.get(name, "")
        if text:
            return self._checked(name, text, rule) or ""
        if default is None:
            self._problems.append(f"{name} is required")
        return default or ""

    def listed(self, name: str, rule: Callable[[str], str], *, required: bool = False) -> tuple[str, ...]:
        text = self._env.get(name, "")
        if not text:
            if required:
                self._problems.append(f"{name} is required")
            return ()
        entries = [entry.strip(" ") for entry in text.split(",")]
        # By its place, because a problem never shows the value.
        names = [f"{name} entry {place}" if len(entries) > 1 else name for place in range(1, len(entries) + 1)]
        checked = [self._checked(*named, rule) for named in zip(names, entries, strict=True)]
        good = [entry for entry in checked if entry is not None]
        if len(set(good)) < len(good):
            self._problems.append(f"{name} must not name the same entry twice")
        return tuple(good)

    def whole(self, name: str, low: int, high: int, default: int) -> int:
        return int(self._bounded(name, _WHOLE, "a whole number", (low, high), default))

    def number(self, name: str, low: float, high: float, default: float) -> float:
        return self._bounded(name, _NUMBER, "a number", (low, high), default)

    def _bounded(
        self, name: str, form: re.Pattern[str], kind: str, bounds: tuple[float, float], default: float
    ) -> float:
        text = self._env.get(name, "")
        if not text:
            return default
        low, high = bounds
        # The pattern comes first: int() and float() accept spaces, underscores and other scripts' digits.
        if not form.fullmatch(text) or not low <= float(text) <= high:
            self._problems.append(f"{name} must be {kind} from {low:g} to {high:.0f}")
            return default
        return float(text)

    def _checked(self, name: str, text: str, rule: Callable[[str], str]) -> str | None:
        try:
            return rule(text)
        except ValueError as error:
            self._problems.append(f"{name} {error}")
            return None


def _contradictions(settings: Settings, refused: set[str]) -> list[str]:
    """Problems between settings that are each valid alone; one that is refused has its default here."""
    problems = []
    queues = [settings.request_queue, settings.job_completion_queue, settings.result_queue]
    every = [name for name in queues if name] + [f"{name}{POISON_SUFFIX}" for name in queues[:2] if name]
    if len(set(every)) < len(every):
        problems.append(
            "REQUEST_QUEUE_NAME, JOB_COMPLETION_QUEUE_NAME and RESULT_QUEUE_NAME must be different queues, "
            "and none the poison queue of another"
        )
    if settings.request_table and settings.request_table.lower() == settings.dead_letter_table.lower():
        problems.append("REQUEST_TABLE_NAME and DEAD_LETTER_TABLE_NAME must be different tables")
    delays = {"BATCH_RETRY_BASE_SECONDS", "BATCH_RETRY_MAX_SECONDS"}
    if settings.retry_base_seconds > settings.retry_max_seconds and not delays & refused:
        problems.append("BATCH_RETRY_BASE_SECONDS must not be above BATCH_RETRY_MAX_SECONDS")
    return problems


def _queue_name(text: str) -> str:
    if not _MIN_QUEUE_NAME <= len(text) <= _MAX_QUEUE_NAME or not _QUEUE_NAME.fullmatch(text):
        raise ValueError(
            f"must be 3 to {_MAX_QUEUE_NAME} lower-case letters, digits and single hyphens between them "
            f"({len(POISON_SUFFIX)} more are reserved for '{POISON_SUFFIX}')"
        )
    return text


def _table_name(text: str) -> str:
    if not _TABLE_NAME.fullmatch(text) or text.lower() == "tables":
        raise ValueError("must be 3 to 63 letters and digits, begin with a letter, and not be 'tables'")
    return text


def _one_of(*words: str) -> Callable[[str], str]:
    def rule(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be {' or '.join(words)}")
        return text

    return rule


def _api_version(text: str) -> str:
    if not _API_VERSION.fullmatch(text):
        raise ValueError("must be an API version such as '2024-07-01.20.0'")
    return text


def _scope(text: str) -> str:
    match = _SCOPE.fullmatch(text)
    if match is None:
        raise ValueError("must be an https resource followed by '//.default'")
    # Batch expects its audience with the final slash; a single slash before '.default' would cut it off.
    return f"{match[1]}//.default"


def _client_id(text: str) -> str:
    if not grammar.parse_guid(text):
        raise ValueError("must be a GUID, or empty for the system-assigned identity")
    return text
