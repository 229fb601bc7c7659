"""The app settings are read and checked together, and each problem names its setting."""

from __future__ import annotations

import pytest

from shared.errors import InvalidConfiguration
from shared.settings import Settings

REQUIRED = {
    "TaskDeleteStorage": "UseDevelopmentStorage=true",
    "REQUEST_QUEUE_NAME": "task-delete-requests",
    "JOB_COMPLETION_QUEUE_NAME": "job-completions",
    "RESULT_QUEUE_NAME": "task-delete-results",
    "BATCH_ACCOUNT_URLS": "https://acct.region.batch.azure.com",
}
CLIENT = "0f0e0d0c-0b0a-0908-0706-050403020100"


def _settings(**env: str) -> Settings:
    return Settings.from_env(REQUIRED | env)


def _problems_of(env: dict[str, str]) -> list[str]:
    with pytest.raises(InvalidConfiguration) as caught:
        Settings.from_env(env)
    return list(caught.value.problems)


def test_the_defaults_are_those_of_the_contract() -> None:
    """With only the required settings, every other one has its documented default."""
    settings = _settings()
    assert settings.storage.connection_string == "UseDevelopmentStorage=true"
    assert (settings.request_queue, settings.job_completion_queue) == ("task-delete-requests", "job-completions")
    assert (settings.result_queue, settings.result_encoding) == ("task-delete-results", "base64")
    assert (settings.request_table, settings.dead_letter_table) == ("taskdeletions", "taskdeletiondeadletters")
    assert settings.batch_accounts == ("https://acct.region.batch.azure.com",)
    assert settings.batch_api_version == "2024-07-01.20.0"
    assert settings.batch_token_scope == "https://batch.core.windows.net//.default"
    assert (settings.batch_credential, settings.client_id) == ("managed_identity", None)
    assert (settings.max_attempts, settings.retry_base_seconds, settings.retry_max_seconds) == (12, 5, 900)
    assert (settings.max_concurrency, settings.protected_jobs) == (32, ())
    assert (settings.job_completion_max_wait_days, settings.retention_days) == (7, 15)
    assert (settings.operation_budget_seconds, settings.storage_timeout_seconds) == (90, 9)
    assert (settings.retention_policies, settings.retention_interval_hours) == ((), 6)


def test_every_setting_can_be_chosen() -> None:
    """Every setting can be given and is read in its normal form."""
    settings = _settings(
        RESULT_MESSAGE_ENCODING="none",
        REQUEST_TABLE_NAME="Rows",
        DEAD_LETTER_TABLE_NAME="Letters",
        BATCH_ACCOUNT_URLS="https://A.region.batch.azure.com:443/, http://127.0.0.1:8101",
        BATCH_API_VERSION="2025-06-01",
        BATCH_TOKEN_SCOPE="https://batch.chinacloudapi.cn//.default",
        BATCH_CREDENTIAL="developer",
        AZURE_CLIENT_ID=CLIENT,
        BATCH_MAX_ATTEMPTS="1",
        BATCH_RETRY_BASE_SECONDS="0.05",
        BATCH_RETRY_MAX_SECONDS="0.5",
        BATCH_MAX_CONCURRENCY="256",
        PROTECTED_JOBS="prod-*, nightly:job-?",
        JOB_COMPLETION_MAX_WAIT_DAYS="0",
        REQUEST_RETENTION_DAYS="365",
        OPERATION_BUDGET_SECONDS="1.5",
        STORAGE_TIMEOUT_SECONDS="60",
        RETENTION_POLICIES='[{"name": "old", "jobs": "*", "batchUrl": "http://127.0.0.1:8101/", "deleteAfter": "P3D"}]',
        RETENTION_INTERVAL_HOURS="168",
    )
    assert (settings.result_encoding, settings.request_table, settings.dead_letter_table) == ("none", "Rows", "Letters")
    assert settings.batch_accounts == ("https://a.region.batch.azure.com", "http://127.0.0.1:8101")
    assert settings.batch_api_version == "2025-06-01"
    assert settings.batch_token_scope == "https://batch.chinacloudapi.cn//.default"
    assert (settings.batch_credential, settings.client_id) == ("developer", CLIENT)
    assert (settings.max_attempts, settings.retry_base_seconds, settings.retry_max_seconds) == (1, 0.05, 0.5)
    assert (settings.max_concurrency, settings.protected_jobs) == (256, ("prod-*", "nightly:job-?"))
    assert (settings.job_completion_max_wait_days, settings.retention_days) == (0, 365)
    assert (settings.operation_budget_seconds, settings.storage_timeout_seconds) == (1.5, 60)
    assert [policy.batch_url for policy in settings.retention_policies] == ["http://127.0.0.1:8101"]
    assert settings.retention_interval_hours == 168


def test_policies_that_are_wrong_are_problems_like_any_other() -> None:
    """Problems of retention policies are reported together with those of other settings."""
    policies = (
        '[{"name": "old", "jobs": "*", "batchUrl": "https://b.region.batch.azure.com", "deleteAfter": "P3D"}, {}]'
    )
    problems = _problems_of(REQUIRED | {"RETENTION_POLICIES": policies, "BATCH_MAX_ATTEMPTS": "0"})
    assert problems == [
        "BATCH_MAX_ATTEMPTS must be a whole number from 1 to 100",
        "RETENTION_POLICIES policy 'old': batchUrl must be one of the Batch accounts that this app is set up for",
        "RETENTION_POLICIES policy at index 1: name is required",
        "RETENTION_POLICIES policy at index 1: jobs is required",
        "RETENTION_POLICIES policy at index 1: deleteAfter is required",
    ]


def test_all_that_is_required_is_told_at_once() -> None:
    """All missing required settings are reported at once."""
    assert [problem.split(" ")[0] for problem in _problems_of({})] == list(REQUIRED)


def test_an_empty_setting_counts_as_absent() -> None:
    """An empty setting counts as absent: it has its default, or is reported as missing."""
    assert _settings(BATCH_MAX_ATTEMPTS="", AZURE_CLIENT_ID="", PROTECTED_JOBS="") == _settings()
    assert _problems_of(REQUIRED | {"RESULT_QUEUE_NAME": ""}) == ["RESULT_QUEUE_NAME is required"]


NUMBERS = {
    "BATCH_MAX_ATTEMPTS": ("1", "100"),
    "BATCH_MAX_CONCURRENCY": ("1", "256"),
    "JOB_COMPLETION_MAX_WAIT_DAYS": ("0", "30"),
    "DEAD_LETTER_RETENTION_DAYS": ("2", "3650"),
    "REQUEST_RETENTION_DAYS": ("2", "365"),
    "RETENTION_INTERVAL_HOURS": ("1", "168"),
    "BATCH_RETRY_BASE_SECONDS": ("0.05", "900"),
    "BATCH_RETRY_MAX_SECONDS": ("5", "604800"),
    "OPERATION_BUDGET_SECONDS": ("1", "90"),
    "STORAGE_TIMEOUT_SECONDS": ("1", "60"),
}
NO_NUMBERS = [
    "nan",
    "inf",
    "-1",
    "+1",
    "1e1",
    "0x1",
    "1_0",
    " 10",
    "10 ",
    "10\n",
    "\uff11\uff10",
    "ten",
    "1,5",
    ".5",
    "5.",
    "9" * 30,
]
WHOLE = ["BATCH_MAX_ATTEMPTS", "BATCH_MAX_CONCURRENCY", "JOB_COMPLETION_MAX_WAIT_DAYS", "REQUEST_RETENTION_DAYS"]
OUTSIDE = [
    ("BATCH_MAX_ATTEMPTS", "0"), ("BATCH_MAX_ATTEMPTS", "101"), ("BATCH_MAX_CONCURRENCY", "0"), ("BATCH_MAX_CONCURRENCY", "257"),
    ("JOB_COMPLETION_MAX_WAIT_DAYS", "31"), ("REQUEST_RETENTION_DAYS", "1"), ("REQUEST_RETENTION_DAYS", "366"),
    ("BATCH_RETRY_BASE_SECONDS", "0.049"), ("BATCH_RETRY_MAX_SECONDS", "604801"), ("OPERATION_BUDGET_SECONDS", "0.9"),
    ("OPERATION_BUDGET_SECONDS", "90.1"), ("STORAGE_TIMEOUT_SECONDS", "0.9"), ("STORAGE_TIMEOUT_SECONDS", "60.1"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "bounds"), NUMBERS.items())
def test_the_bounds_of_a_number_are_allowed(name: str, bounds: tuple[str, str]) -> None:
    """The smallest and largest value of each numeric setting are accepted."""
    for text in bounds:
        assert float(text) in vars(_settings(**{name: text})).values()


@pytest.mark.parametrize(
    ("name", "text"),
    [*((name, text) for name in NUMBERS for text in NO_NUMBERS), *((name, "2.5") for name in WHOLE), *OUTSIDE],
)
def test_what_is_no_number_within_its_bounds_is_refused(name: str, text: str) -> None:
    """A numeric setting that is out of bounds or not plain ASCII digits is refused."""
    [problem] = _problems_of(REQUIRED | {name: text})
    assert problem.startswith(f"{name} must be a ")


@pytest.mark.parametrize("name", ["REQUEST_QUEUE_NAME", "JOB_COMPLETION_QUEUE_NAME", "RESULT_QUEUE_NAME"])
@pytest.mark.parametrize(
    "text", ["ab", "-ab", "ab-", "a--b", "Abc", "a_b", "a.b", "abc\n", " abc", "\u00e4bc", "a" * 57, "%X%"]
)
def test_a_queue_name_keeps_the_service_s_rules(name: str, text: str) -> None:
    """A queue name that breaks the service's rules, or leaves no room for `-poison`, is refused."""
    [problem] = _problems_of(REQUIRED | {name: text})
    assert problem.startswith(f"{name} must be 3 to 56 ")


def test_the_longest_queue_name_leaves_room_for_poison() -> None:
    """A queue name may have up to 56 characters, which leaves room for `-poison`."""
    assert _settings(REQUEST_QUEUE_NAME="a" * 56).request_queue == "a" * 56


@pytest.mark.parametrize(
    "env",
    [
        {"RESULT_QUEUE_NAME": "job-completions"},
        {"REQUEST_QUEUE_NAME": "task-delete-results"},
        {"RESULT_QUEUE_NAME": "task-delete-requests-poison"},
        {"REQUEST_QUEUE_NAME": "job-completions-poison"},
    ],
)
def test_no_queue_has_two_uses(env: dict[str, str]) -> None:
    """Two queues with the same name, or with the name of another's poison queue, are refused."""
    [problem] = _problems_of(REQUIRED | env)
    assert problem.startswith("REQUEST_QUEUE_NAME, JOB_COMPLETION_QUEUE_NAME and RESULT_QUEUE_NAME")


@pytest.mark.parametrize("text", ["ab", "1abc", "a-b", "a_b", "Tables", "a" * 64, "abc\n"])
def test_a_table_name_keeps_the_service_s_rules(text: str) -> None:
    """A table name that breaks the service's rules is refused."""
    [problem] = _problems_of(REQUIRED | {"REQUEST_TABLE_NAME": text})
    assert problem.startswith("REQUEST_TABLE_NAME must be 3 to 63")


def test_the_two_tables_differ() -> None:
    """Two tables whose names differ only in letter case are refused."""
    [problem] = _problems_of(REQUIRED | {"REQUEST_TABLE_NAME": "TaskDeletionDeadLetters"})
    assert problem.startswith("REQUEST_TABLE_NAME and DEAD_LETTER_TABLE_NAME")


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("RESULT_MESSAGE_ENCODING", "BASE64", "must be base64 or none"),
        ("BATCH_CREDENTIAL", "key", "must be managed_identity or developer"),
        ("BATCH_API_VERSION", "latest", "must be an API version"),
        ("BATCH_API_VERSION", "2024-07-01&x=1", "must be an API version"),
        ("BATCH_TOKEN_SCOPE", "https://batch.core.windows.net/", "must be an https resource"),
        ("BATCH_TOKEN_SCOPE", "http://batch.core.windows.net//.default", "must be an https resource"),
        ("AZURE_CLIENT_ID", "me", "must be a GUID"),
        ("BATCH_ACCOUNT_URLS", "acct", "must be a URL"),
        ("BATCH_ACCOUNT_URLS", "http://acct.region.batch.azure.com", "must begin with https"),
        ("BATCH_ACCOUNT_URLS", "https://a.example,", "must be a URL"),
        ("BATCH_ACCOUNT_URLS", "https://a.example,HTTPS://A.example:443", "must not name the same entry twice"),
        ("PROTECTED_JOBS", "prod-[1]", "must be 1 to 79"),
        ("PROTECTED_JOBS", "a,,b", "must be 1 to 79"),
        ("PROTECTED_JOBS", "a,a", "must not name the same entry twice"),
        ("BATCH_RETRY_MAX_SECONDS", "4", "BATCH_RETRY_BASE_SECONDS must not be above BATCH_RETRY_MAX_SECONDS"),
    ],
)  # fmt: skip
def test_a_setting_that_breaks_its_rule_is_told(name: str, text: str, rule: str) -> None:
    """A setting that breaks its rule is reported with its name and the rule."""
    [problem] = _problems_of(REQUIRED | {name: text})
    assert name in problem
    assert rule in problem


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("BATCH_ACCOUNT_URLS", "https://a.example,http://b.example", "entry 2 must begin with https"),
        ("PROTECTED_JOBS", "prod-*, n/a, x", "entry 2 must be 1 to 79"),
    ],
)
def test_a_problem_of_a_list_names_the_entry(name: str, text: str, place: str) -> None:
    """By its place, counted from 1, since no problem shows a value."""
    [problem] = _problems_of(REQUIRED | {name: text})
    assert problem.startswith(f"{name} {place}")


@pytest.mark.parametrize(
    "env",
    [
        {"BATCH_RETRY_BASE_SECONDS": "0", "BATCH_RETRY_MAX_SECONDS": "2"},
        {"BATCH_RETRY_BASE_SECONDS": "1000", "BATCH_RETRY_MAX_SECONDS": "1h"},
    ],
)
def test_a_setting_that_is_refused_contradicts_no_other(env: dict[str, str]) -> None:
    """Its default is not what the operator compares."""
    [problem] = _problems_of(REQUIRED | env)
    assert "must be a number" in problem


@pytest.mark.parametrize(
    "text", ["https://batch.core.windows.net/.default", "https://batch.core.windows.net//.default"]
)
def test_a_token_scope_keeps_the_slash_of_its_audience(text: str) -> None:
    """BATCH_TOKEN_SCOPE keeps the final slash of its audience, in either spelling."""
    assert _settings(BATCH_TOKEN_SCOPE=text).batch_token_scope == "https://batch.core.windows.net//.default"


def test_problems_of_different_settings_come_together() -> None:
    """Problems of several settings are reported in one error that quotes no value."""
    env = {
        "TaskDeleteStorage": "AccountName=acct;AccountKey=s3cret!",
        "BATCH_ACCOUNT_URLS": "https://s3cret@a.example",
        "BATCH_MAX_ATTEMPTS": "s3cret",
        "RESULT_QUEUE_NAME": "job-completions",
    }
    problems = _problems_of(REQUIRED | env)
    assert len(problems) == 4
    assert "s3cret" not in str(InvalidConfiguration(problems))


def test_settings_do_not_show_a_secret() -> None:
    """The representation of the settings does not show the storage key."""
    key = "c2VjcmV0"
    assert key not in repr(_settings(TaskDeleteStorage=f"AccountName=acct;AccountKey={key}"))
