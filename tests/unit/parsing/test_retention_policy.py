"""Retention policies: the setting's rules, which policy covers a job, and when a task is due."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.parsing.grammar import MAX_JOB_ID
from shared.parsing.retention_policy import (
    JobState,
    Policy,
    digest_of,
    document_of,
    first_match,
    is_in_force,
    policies_of,
)
from shared.parsing.retention_setting import read_policies

NORTH, SOUTH = "https://north.region.batch.azure.com", "https://south.region.batch.azure.com"
ACCOUNTS = (NORTH, SOUTH)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def wish(**fields: Any) -> dict[str, Any]:
    """A policy as an operator writes it, with some fields replaced."""
    return {"name": "render", "jobs": "render-*", "deleteAfter": "P3D", **fields}


def without(name: str) -> dict[str, Any]:
    """A policy without one of its fields."""
    return {key: value for key, value in wish().items() if key != name}


def policies(*wishes: dict[str, Any]) -> tuple[Policy, ...]:
    """Parses valid policies."""
    problems: list[str] = []
    found = read_policies(json.dumps(wishes), ACCOUNTS, problems)
    assert problems == []
    return found


def problems_of(text: str) -> list[str]:
    """The problems of the setting's text."""
    problems: list[str] = []
    assert read_policies(text, ACCOUNTS, problems) == ()
    return problems


def only_problem(**fields: Any) -> str:
    """The one problem of a policy with these fields, without the setting's name."""
    (problem,) = problems_of(json.dumps([wish(**fields)]))
    return problem.removeprefix("RETENTION_POLICIES ")


# The setting


@pytest.mark.parametrize("text", ["", " ", "\n", "[]", " [ ] "])
def test_without_policies_there_are_none(text: str) -> None:
    """An empty or blank setting, or an empty list, means no policies."""
    problems: list[str] = []
    assert read_policies(text, ACCOUNTS, problems) == ()
    assert problems == []


def test_the_fields_of_a_policy_are_understood() -> None:
    """Every field of a policy is read and shown in its normal form."""
    (policy,) = policies(
        wish(
            jobs=["render-*", "Frame-?"],
            batchUrl="HTTPS://South.region.batch.azure.com:443/",
            deleteAfter={"succeeded": "P3DT1H", "failed": "P1W"},
            jobState="completed",
            most=100,
            dryRun=True,
        )
    )
    assert document_of(policy) == {
        "name": "render",
        "jobs": ["render-*", "Frame-?"],
        "batchUrl": SOUTH,
        "deleteAfter": {"succeeded": "P3DT3600S", "failed": "P7D"},
        "deleteAfterSeconds": {"succeeded": 262_800, "failed": 604_800},
        "jobState": "completed",
        "most": 100,
        "dryRun": True,
    }


def test_what_is_left_out_has_its_default() -> None:
    """A policy without its optional fields covers all accounts and any job state, with no cap and no dry run."""
    (policy,) = policies(wish())
    assert (policy.batch_url, policy.job_state, policy.most, policy.dry_run) == (None, None, None, False)
    assert document_of(policy)["deleteAfterSeconds"] == {"succeeded": 259_200, "failed": 259_200}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[", "is not JSON (line 1, column 2)"),
        ("{}", "must be a JSON list of at most 50 policies"),
        ("null", "must be a JSON list of at most 50 policies"),
        (json.dumps([wish(name=f"p{n}") for n in range(51)]), "must be a JSON list of at most 50 policies"),
        (
            '[{"name": "a", "name": "b", "jobs": "x", "deleteAfter": "P1D"}]',
            "policy at index 0: name appears more than once",
        ),
        (
            '[{"name": "a", "jobs": "x", "deleteAfter": "P1D", "most": NaN}]',
            "policy at index 0: most is NaN, which is not a JSON number",
        ),
        ('[[[[[[[[["x"]]]]]]]]]', "policy at index 0: 0/0/0/0/0/0/0 is nested too deeply"),
    ],
)
def test_a_text_that_is_no_list_of_policies_is_refused(text: str, problem: str) -> None:
    """A setting that is not a JSON list of at most 50 policies is refused."""
    assert problems_of(text) == [f"RETENTION_POLICIES {problem}"]


def test_fifty_policies_are_taken() -> None:
    """The setting may have up to 50 policies."""
    assert len(policies(*(wish(name=f"p{n}") for n in range(50)))) == 50


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ("x", "policy at index 0: must be an object"),
        (without("name"), "policy at index 0: name is required"),
        (without("jobs"), "policy 'render': jobs is required"),
        (without("deleteAfter"), "policy 'render': deleteAfter is required"),
        (wish(keep=True), "policy 'render': keep is not a field of this object"),
        (
            wish(deleteafter="P1D"),
            "policy 'render': deleteafter is not a field of this object; names are case-sensitive: deleteAfter",
        ),
    ],
)
def test_a_policy_with_a_field_missing_or_unknown_is_refused(item: object, problem: str) -> None:
    """A missing or unknown field is reported with the policy's name, or its index if it has none."""
    assert problems_of(json.dumps([item])) == [f"RETENTION_POLICIES {problem}"]


def test_all_problems_of_all_policies_come_at_once() -> None:
    """All problems of all policies are reported together."""
    found = problems_of(json.dumps([wish(most=0, dryRun="yes"), wish(name="other"), wish(name="-")]))
    assert [problem.removeprefix("RETENTION_POLICIES ") for problem in found] == [
        "policy 'render': most must be at least 1",
        "policy 'render': dryRun must be true or false",
        "policy at index 2: name must be 1 to 32 characters of a-z, 0-9 and '-', and not begin with a hyphen",
    ]


def test_one_problem_hides_no_other() -> None:
    """Problems of a policy's fields, accounts, names and JSON are all reported, none hiding another."""
    strange = "https://east.region.batch.azure.com"
    items = [
        wish(most=0, batchUrl=strange),
        wish(most=0),
        wish(batchUrl=strange),
        wish(name="a\n", most=0, deleteAfter={"succeeded": "P1D\u0000"}),
        wish(name="b", jobs="\ud800", batchUrl=strange),
    ]
    account = "batchUrl must be one of the Batch accounts that this app is set up for"
    twice = "name must not be that of another policy"
    assert [problem.removeprefix("RETENTION_POLICIES policy ") for problem in problems_of(json.dumps(items))] == [
        "'render': most must be at least 1",
        f"'render': {account}",
        "'render': most must be at least 1",
        f"at index 1: {twice}",
        f"'render': {account}",
        f"at index 2: {twice}",
        "at index 3: name contains a control character (U+000A)",
        "at index 3: deleteAfter/succeeded contains a control character (U+0000)",
        "at index 3: most must be at least 1",
        "at index 4: jobs contains a lone surrogate (U+D800)",
        f"'b': {account}",
    ]


@pytest.mark.parametrize("field", ["name", "jobs", "batchUrl", "deleteAfter", "jobState", "most", "dryRun"])
def test_a_null_is_not_absence(field: str) -> None:
    """A null field of a policy is refused, rather than taken as absent."""
    (problem,) = problems_of(json.dumps([wish(**{field: None})]))
    assert problem.endswith(f"{field} must not be null; leave the field out instead")


# name


@pytest.mark.parametrize("name", ["a", "0", "nightly-2", "a" * 32, "a-"])
def test_a_name_is_lower_case_letters_digits_and_hyphens(name: str) -> None:
    """A policy's name is 1 to 32 lower-case letters, digits and hyphens."""
    assert policies(wish(name=name))[0].name == name


@pytest.mark.parametrize("name", ["", "-a", "A", "a_b", "é", "a" * 33, "a\n", 7])
def test_another_name_is_refused(name: object) -> None:
    """An invalid policy name is refused, and not quoted in the problem."""
    (problem,) = problems_of(json.dumps([wish(name=name)]))
    assert problem.startswith("RETENTION_POLICIES policy at index 0: name ")


def test_a_name_is_used_once() -> None:
    """A policy with the name of an earlier one is refused, and reported by its index."""
    assert problems_of(json.dumps([wish(), wish(name="other"), wish(jobs="x")])) == [
        "RETENTION_POLICIES policy at index 2: name must not be that of another policy"
    ]


# jobs


@pytest.mark.parametrize(
    ("jobs", "job_id", "matches"),
    [
        ("render-*", "render-7", True),
        ("render-*", "RENDER-7", True),
        ("RENDER-?", "render-7", True),
        ("render-?", "render-77", False),
        ("render", "render-7", False),
        ("*", "nightly:job-1", True),
        ("nightly:*", "nightly:job-1", True),
        (["a", "b-*"], "b-1", True),
        (["a", "b-*"], "c", False),
    ],
)
def test_a_pattern_counts_in_any_letter_case(jobs: object, job_id: str, matches: bool) -> None:
    """Patterns ignore letter case, like PROTECTED_JOBS: `*` matches any characters, even a colon, `?` one."""
    assert (first_match(policies(wish(jobs=jobs)), NORTH, job_id) is not None) is matches


@pytest.mark.parametrize("pattern", ["", "a b", "a/b", "[ab]", "é*", "a,b", "a" * (MAX_JOB_ID + 1)])
def test_a_pattern_that_no_job_id_can_match_is_refused(pattern: str) -> None:
    """A job pattern that can match no job id is refused."""
    assert only_problem(jobs=pattern).startswith(f"policy 'render': jobs must be 1 to {MAX_JOB_ID} characters of A-Z")


@pytest.mark.parametrize(
    ("jobs", "text"),
    [
        ([], "must have 1 to 20 patterns"),
        (["a"] * 21, "must have 1 to 20 patterns"),
        (7, "must be a pattern or a list of patterns"),
        (["a", 7], "must be a pattern or a list of patterns"),
        ({"a": "b"}, "must be a pattern or a list of patterns"),
    ],
)
def test_jobs_are_one_to_twenty_patterns(jobs: object, text: str) -> None:
    """`jobs` is one pattern or a list of 1 to 20; anything else is refused."""
    assert only_problem(jobs=jobs) == f"policy 'render': jobs {text}"


# batchUrl


def test_a_policy_is_for_its_account_or_for_all() -> None:
    """A policy with an account covers jobs of that account alone; one without covers all accounts."""
    found = policies(wish(name="south", batchUrl=f"{SOUTH}/"), wish(name="all"))
    matched = [first_match(found, account, "render-7") for account in ACCOUNTS]
    assert [policy and policy.name for policy in matched] == ["all", "south"]
    assert [policy.name for policy in policies_of(found, NORTH)] == ["all"]
    assert [policy.name for policy in policies_of(found, SOUTH)] == ["south", "all"]


@pytest.mark.parametrize(
    "url", ["https://east.region.batch.azure.com", "http://north.region.batch.azure.com", "north", 7]
)
def test_an_account_that_is_not_on_the_list_is_refused(url: object) -> None:
    """A policy for an account outside the allow list is refused."""
    assert only_problem(batchUrl=url).startswith("policy 'render': batchUrl must ")


def test_accounts_that_are_wrong_themselves_blame_no_policy() -> None:
    """If the allow list itself is invalid, policies are not blamed for their accounts."""
    problems: list[str] = []
    assert len(read_policies(json.dumps([wish(batchUrl=SOUTH)]), (), problems)) == 1
    assert problems == []


# The first match


def test_the_first_match_alone_decides() -> None:
    """Only the first matching policy decides about a job, even one that keeps its tasks."""
    found = policies(
        wish(name="keep", jobs="render-gold-*", deleteAfter="never"),
        wish(name="ended", jobs="render-*", jobState="completed"),
        wish(name="rest", jobs="*"),
    )
    jobs = ["render-gold-1", "render-7", "other"]
    assert [getattr(first_match(found, NORTH, job), "name", None) for job in jobs] == ["keep", "ended", "rest"]
    assert first_match(found[:2], NORTH, "other") is None


# deleteAfter


@pytest.mark.parametrize(
    ("delete_after", "succeeded", "failed"),
    [
        ("P3D", 3 * DAY, 3 * DAY),
        ("PT0S", timedelta(), timedelta()),
        ("P3650D", 3_650 * DAY, 3_650 * DAY),
        ({"succeeded": "PT90M"}, timedelta(minutes=90), None),
        ({"failed": "P1W"}, None, 7 * DAY),
        ({"succeeded": "PT0S", "failed": "P1DT1H"}, timedelta(), timedelta(hours=25)),
        ("never", None, None),
    ],
)
def test_a_delay_is_one_for_both_classes_or_one_for_each(
    delete_after: object, succeeded: timedelta | None, failed: timedelta | None
) -> None:
    """`deleteAfter` is one delay for both classes or one for each; a class left out, or `never`, is kept."""
    (policy,) = policies(wish(deleteAfter=delete_after))
    assert (policy.delay_of(succeeded=True), policy.delay_of(succeeded=False)) == (succeeded, failed)
    assert policy.keeps_all is (delete_after == "never")


@pytest.mark.parametrize(
    ("delete_after", "problem"),
    [
        ("P3651D", "deleteAfter must be at most 3650 days"),
        ("P99999999W", "deleteAfter must be at most 3650 days"),
        ("P1M", "deleteAfter must be an ISO 8601 duration of whole weeks, days, hours, minutes and seconds"),
        ("-P1D", "deleteAfter must be an ISO 8601 duration of whole weeks, days, hours, minutes and seconds"),
        (
            "2026-11-24T08:00:00Z",
            "deleteAfter must be an ISO 8601 duration of whole weeks, days, hours, minutes and seconds",
        ),
        (
            "Never",
            "deleteAfter must be an ISO 8601 duration of whole weeks, days, hours, minutes and seconds",
        ),
        (3, "deleteAfter must be a duration, 'never', or an object of succeeded and failed"),
        ([], "deleteAfter must be a duration, 'never', or an object of succeeded and failed"),
        ({}, "deleteAfter must name succeeded, failed or both; 'never' keeps both"),
        ({"succeeded": "P3651D"}, "deleteAfter/succeeded must be at most 3650 days"),
        ({"failed": 3}, "deleteAfter/failed must be text"),
        ({"failed": None}, "deleteAfter/failed must not be null; leave the field out instead"),
        ({"completed": "P1D"}, "deleteAfter/completed is not a field of this object"),
        (
            {"Succeeded": "P1D"},
            "deleteAfter/Succeeded is not a field of this object; names are case-sensitive: succeeded",
        ),
        (
            {"failed": "never"},
            "deleteAfter/failed must be an ISO 8601 duration of whole weeks, days, hours, minutes and seconds",
        ),
    ],
)
def test_another_delay_is_refused(delete_after: object, problem: str) -> None:
    """A policy's delay that is an instant, has months, or exceeds ten years is refused."""
    assert only_problem(deleteAfter=delete_after) == f"policy 'render': {problem}"


# jobState, most, dryRun


@pytest.mark.parametrize("state", list(JobState))
def test_a_job_state_is_completed_or_any(state: JobState) -> None:
    """`jobState` may be `completed` or `any`."""
    assert policies(wish(jobState=state.value))[0].job_state is state


@pytest.mark.parametrize("state", ["active", "Completed", "", 1])
def test_another_job_state_is_refused(state: object) -> None:
    """Any other `jobState`, such as `active`, is refused."""
    assert only_problem(jobState=state) == "policy 'render': jobState must be completed or any"


@pytest.mark.parametrize(
    ("most", "text"),
    [
        (0, "must be at least 1"),
        (-1, "must be at least 1"),
        (1_000_001, "must be at most 1000000"),
        ("10", "must be a whole number"),
        (10.0, "must be a whole number"),
        (True, "must be a whole number"),
    ],
)
def test_a_cap_is_a_whole_number_from_1_to_a_million(most: object, text: str) -> None:
    """`most` outside 1 to 1,000,000, or not a whole number, is refused."""
    assert only_problem(most=most) == f"policy 'render': most {text}"


@pytest.mark.parametrize("dry_run", ["true", 1, 0])
def test_a_dry_run_is_true_or_false(dry_run: object) -> None:
    """`dryRun` that is not a boolean is refused: taken for false, `"true"` would delete."""
    assert only_problem(dryRun=dry_run) == "policy 'render': dryRun must be true or false"


# When a task is due


@pytest.mark.parametrize(
    ("delete_after", "succeeded", "age", "due"),
    [
        ("P3D", True, 3 * DAY, True),
        ("P3D", True, 3 * DAY - timedelta(microseconds=1), False),
        ("PT0S", False, timedelta(), True),
        ("PT0S", False, -timedelta(seconds=1), False),
        ({"succeeded": "P3D", "failed": "P7D"}, True, 5 * DAY, True),
        ({"succeeded": "P3D", "failed": "P7D"}, False, 5 * DAY, False),
        ({"succeeded": "P3D", "failed": "P7D"}, False, 7 * DAY, True),
        ({"succeeded": "PT0S"}, False, 3_000 * DAY, False),
        ("never", True, 3_000 * DAY, False),
    ],
)
def test_a_task_is_due_when_its_delay_has_passed_since_its_end(
    delete_after: object, succeeded: bool, age: timedelta, due: bool
) -> None:
    """A task is due when its class's delay has passed since its end; a kept class is never due."""
    (policy,) = policies(wish(deleteAfter=delete_after))
    assert policy.is_due(succeeded=succeeded, ended=NOON - age, at=NOON) is due


@pytest.mark.parametrize(
    ("delete_after", "age"),
    [("P3D", 3 * DAY), ({"succeeded": "P3D", "failed": "P1D"}, DAY), ({"failed": "P7D"}, 7 * DAY)],
)
def test_no_task_that_ended_later_can_be_due(delete_after: object, age: timedelta) -> None:
    """Only tasks that ended before the policy's shorter delay need to be listed."""
    (policy,) = policies(wish(deleteAfter=delete_after))
    assert policy.ended_by(NOON) == NOON - age


def test_a_policy_that_keeps_everything_needs_no_list() -> None:
    """A policy that keeps everything needs no list of tasks."""
    assert policies(wish(deleteAfter="never"))[0].ended_by(NOON) is None


# The digest


def test_a_digest_is_that_of_the_meaning() -> None:
    """The digest depends on a policy's meaning, not on how it is written."""
    same = [
        wish(jobs=["render-*"], deleteAfter={"failed": "PT72H", "succeeded": "P3D"}, dryRun=False),
        wish(deleteAfter="PT72H"),
    ]
    digests = {policies(each)[0].digest for each in (wish(), *same)}
    assert len(digests) == 1
    assert len(digests.pop()) == 32


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"jobs": ["render-*", "x"]},
        {"batchUrl": NORTH},
        {"deleteAfter": "P4D"},
        {"deleteAfter": {"succeeded": "P3D"}},
        {"deleteAfter": "never"},
        {"jobState": "any"},
        {"most": 5},
        {"dryRun": True},
    ],
)
def test_any_change_makes_another_digest(change: dict[str, Any]) -> None:
    """Any change of a policy's meaning changes its digest, so its earlier requests are no longer in force."""
    (old,), (new,) = policies(wish()), policies(wish(**change))
    assert old.digest != new.digest
    assert not is_in_force((new,), NORTH, "render-7", old.digest)
    assert is_in_force((old,), NORTH, "render-7", old.digest)


def test_a_request_is_in_force_while_its_policy_is_its_job_s_first_match() -> None:
    """A request is in force only while its policy, unchanged, is still the first to match its job."""
    old, first = policies(wish(), wish(name="first", jobs="*-7"))
    assert is_in_force((old, first), NORTH, "render-7", old.digest)
    assert not is_in_force((first, old), NORTH, "render-7", old.digest)
    assert is_in_force((first, old), NORTH, "render-8", old.digest)
    assert not is_in_force((), NORTH, "render-7", old.digest)


def test_the_order_of_policies_is_part_of_what_they_say_together() -> None:
    """The digest of all policies depends on their order, because the first match decides."""
    one, two = policies(wish(), wish(name="other"))
    assert digest_of((one, two)) != digest_of((two, one))
    assert digest_of((one, two)) == digest_of([one, two])
