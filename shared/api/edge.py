"""The edge of the HTTP interface: the only place where errors become responses."""

from __future__ import annotations

import logging
from collections.abc import Callable

from shared.api.answer import Answer, Call, internal_error, invalid, misconfigured_call, unavailable
from shared.api.placement import refuse_misplaced
from shared.errors import InvalidConfiguration, InvalidInput, StorageUnavailable

log = logging.getLogger(__name__)


def answered(answer_of: Callable[[Call], Answer], call: Call) -> Answer:
    """Answers a call; each error becomes a BatchError."""
    try:
        refuse_misplaced(call)
        return answer_of(call)
    except InvalidInput as fault:
        return invalid(fault)
    except InvalidConfiguration as fault:
        return misconfigured_call(fault)
    except StorageUnavailable as fault:
        log.warning("storage_unavailable function=%s fault=%s", call.function, fault)
        return unavailable(str(fault))
    except Exception:  # otherwise the host would send an empty 500
        log.exception("internal_error function=%s", call.function)
        return internal_error()
