"""Batch's refusals of the app itself: a lost role, a wrong account or token scope. People mend them, so they are told.

An alert reads these lines (`infra/queries/batch-access-refused.kql`).
"""

from __future__ import annotations

import logging

from shared.batch.classify import judge
from shared.batch.reply import Reply, Verdict

log = logging.getLogger(__name__)


def tell_of_refused_access(reply: Reply, account: str, client_request_id: str) -> None:
    """Logs `batch_access_refused` when Batch did not take the token, or the token's owner may not do this."""
    if judge(reply).verdict is Verdict.ACCESS:
        log.error(
            "batch_access_refused status=%s account=%s request_id=%s batch_request_id=%s",
            reply.status,
            account,
            client_request_id,
            reply.request_id,
        )
