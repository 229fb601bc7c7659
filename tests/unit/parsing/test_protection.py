"""Patterns of jobs from which nothing is ever deleted."""

from __future__ import annotations

import pytest

from shared.parsing.protection import check_pattern, is_protected


@pytest.mark.parametrize(
    ("job_id", "pattern"),
    [
        ("prod-1", "prod-1"),
        ("PROD-1", "prod-*"),
        ("prod-1", "PROD-?"),
        ("prod-", "prod-*"),
        ("nightly:job-12", "nightly*"),
        ("nightly:job-12", "*12"),
        ("nightly:job-12", "nightly?job-12"),
        ("nightly:job-12", "nightly:job-*"),
        ("anything", "*"),
        ("a-b-c-d", "*b*d"),
        ("a[b]", "a[b]"),
        ("x" * 64, "*x" * 30 + "*"),
    ],
)
def test_a_pattern_protects_a_job(job_id: str, pattern: str) -> None:
    """In a pattern, `*` matches any characters and `?` one, a colon included, in any letter case."""
    assert is_protected(job_id, ("other", pattern, "*")) == pattern


@pytest.mark.parametrize(
    ("job_id", "pattern"),
    [
        ("prod-1", "prod"),
        ("prod", "prod-*"),
        ("xprod-1", "prod-*"),
        ("prod-12", "prod-?"),
        ("prod-", "prod-?"),
        ("ab", "[ab]b"),
        ("a", "[!b]"),
        ("prod", "p.od"),
        ("x" * 64, "*x" * 30 + "*y"),
    ],
)
def test_a_pattern_protects_no_other_job(job_id: str, pattern: str) -> None:
    """A pattern must match the whole job id, and every other character stands for itself."""
    assert is_protected(job_id, (pattern,)) is None


def test_no_patterns_protect_nothing() -> None:
    """Without patterns, no job is protected."""
    assert is_protected("prod-1", ()) is None


@pytest.mark.parametrize("text", ["prod-*", "A_b-?:*", "x" * 64])
def test_a_pattern_of_id_characters_is_kept(text: str) -> None:
    """A pattern may have letters, digits, `_`, `-`, `:` and the two wildcards."""
    assert check_pattern(text) == text


@pytest.mark.parametrize("text", ["", "[ab]", "a b", "a.b", "a/b", "^prod", "prod\n", "\uff50rod", "x" * 80])
def test_a_pattern_that_could_match_no_job_is_refused(text: str) -> None:
    """A pattern that can match no job id is refused, since somebody would rely on it."""
    with pytest.raises(ValueError, match="must be 1 to 79"):
        check_pattern(text)
