"""How long a queue listener of the local host waits between empty polls."""

from __future__ import annotations

import pytest

from devstack.host.polling import empty_poll_delay


def test_delays_start_at_100_ms_and_double_up_to_the_cap() -> None:
    """Delays between empty polls grow from 0.1 s to the cap, roughly doubling."""
    delays = [empty_poll_delay(n, 1.0, 2.0) for n in range(1, 9)]
    assert delays == pytest.approx([0.1, 0.2, 0.3, 0.5, 0.9, 1.7, 2.0, 2.0])


def test_the_random_part_moves_a_step_but_not_the_first() -> None:
    """The first delay after a message is exactly 0.1 s; later ones vary randomly."""
    assert empty_poll_delay(1, 0.8, 2.0) == empty_poll_delay(1, 1.2, 2.0) == 0.1
    assert empty_poll_delay(3, 0.8, 2.0) < empty_poll_delay(3, 1.2, 2.0)


def test_days_of_empty_polls_stay_at_the_cap() -> None:
    """After millions of empty polls, the delay is still the cap."""
    assert empty_poll_delay(10_000_000, 1.2, 60.0) == 60.0
