"""How long a listener waits after a poll that found nothing.

`RandomizedExponentialBackoffStrategy` of the Storage Queue extension: 100 ms at first, then doubling up to
`maxPollingInterval`; each delay but the first varies randomly by up to a fifth either way.
"""

from __future__ import annotations

FIRST_DELAY_SECONDS = 0.1
LEAST_FACTOR, GREATEST_FACTOR = 0.8, 1.2
_HIGHEST_EXPONENT = 32  # past any cap; keeps the power from overflowing after days of empty polls


def empty_poll_delay(empty_polls: int, factor: float, cap_seconds: float) -> float:
    """Seconds to wait after the n-th empty poll in a row, n counting from 1.

    `factor` is the random part, between LEAST_FACTOR and GREATEST_FACTOR.
    """
    if empty_polls <= 1:
        return min(cap_seconds, FIRST_DELAY_SECONDS)
    exponent = min(empty_polls - 2, _HIGHEST_EXPONENT)
    return min(cap_seconds, FIRST_DELAY_SECONDS + factor * 2.0**exponent * FIRST_DELAY_SECONDS)
