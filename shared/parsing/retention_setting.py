"""Reads retention policies from their setting, with every problem of it at once. Pure.

[{"name": "render", "jobs": "render-*", "deleteAfter": {"succeeded": "P3D", "failed": "P7D"}}]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared.errors import InvalidInput, Problem
from shared.parsing import account_url
from shared.parsing.retention_policy import NAME, Policy
from shared.parsing.strict_json import capped, faults, read
from shared.parsing.strict_model import checked

SETTING: Final = "RETENTION_POLICIES"
MOST_POLICIES: Final = 50

_MAX_BYTES: Final = 256 * 1024


def read_policies(text: str, accounts: Sequence[str], problems: list[str]) -> tuple[Policy, ...]:
    """The policies in the setting's text; empty when anything in it is invalid.

    `problems` gets a line for each fault, with the policy's name or index and the field.
    """
    if not text.strip():
        return ()
    try:
        items = read(text, max_bytes=_MAX_BYTES)
    except InvalidInput as fault:
        problems += [f"{SETTING} {problem.text}" for problem in fault.problems]
        return ()
    if not isinstance(items, list) or len(items) > MOST_POLICIES:
        problems.append(f"{SETTING} must be a JSON list of at most {MOST_POLICIES} policies")
        return ()
    before = len(problems)
    policies, names = [], set[str]()
    for index, item in enumerate(items):
        policy = _read_one(index, item, accounts, problems)
        policies += [policy] if policy else []
        name = _readable_name(item)
        if name in names:
            problems.append(f"{SETTING} policy at index {index}: name must not be that of another policy")
        names |= {name} if name else set()
    return tuple(policies) if len(problems) == before else ()


def _read_one(index: int, item: object, accounts: Sequence[str], problems: list[str]) -> Policy | None:
    """The policy in an item of the list; None when it cannot be read. Every problem of the item is told."""
    bad_json = capped(list(faults(item)))
    problems += [f"{SETTING} policy at index {index}: {_field(problem)}{problem.text}" for problem in bad_json]
    if bad_json and not isinstance(item, dict):
        return None
    # Otherwise a value already refused would be reported again, as one of the wrong type.
    told = {_first_of(problem) for problem in bad_json}
    policy, found = None, list[Problem]()
    try:
        policy = checked(Policy, item)
    except InvalidInput as fault:
        found = [problem for problem in fault.problems if _first_of(problem) not in told]
    found += _strange_account(item, accounts)
    problems += [f"{SETTING} {_place(index, item)}: {_field(problem)}{problem.text}" for problem in found]
    return policy


def _strange_account(item: object, accounts: Sequence[str]) -> list[Problem]:
    """The problem of an account that is not on the list, where both can be read."""
    named = item.get("batchUrl") if isinstance(item, dict) else None
    if not isinstance(named, str) or not accounts:
        return []
    try:
        url = account_url.canonical(named)
    except ValueError:
        return []  # The model has reported it.
    return [] if url in accounts else [Problem("/batchUrl", account_url.NOT_LISTED)]


def _first_of(problem: Problem) -> str:
    """The field of the policy in which a problem lies."""
    return problem.pointer.removeprefix("/").partition("/")[0]


def _readable_name(item: object) -> str | None:
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) and NAME.fullmatch(name) else None


def _place(index: int, item: object) -> str:
    name = _readable_name(item)
    return f"policy '{name}'" if name else f"policy at index {index}"


def _field(problem: Problem) -> str:
    return f"{problem.pointer.removeprefix('/')} " if problem.pointer else ""
