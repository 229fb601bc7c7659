"""The four conditional headers (RFC 9110, section 13), as one value that is checked against a resource."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from devstack.batch.errors import ServiceError
from devstack.http1 import Headers


@dataclass(frozen=True)
class Conditions:
    """What must hold for the call to take effect; if several conditions are given, all must hold."""

    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: datetime | None = None
    if_unmodified_since: datetime | None = None

    @classmethod
    def from_headers(cls, headers: Headers) -> Conditions:
        """Reads the headers; raises InvalidHeaderValue for an invalid date."""
        return cls(
            if_match=headers.get("If-Match"),
            if_none_match=headers.get("If-None-Match"),
            if_modified_since=read_date(headers, "If-Modified-Since"),
            if_unmodified_since=read_date(headers, "If-Unmodified-Since"),
        )

    def check(self, etag: str, last_modified: datetime, *, reading: bool = False) -> None:
        """Raises ConditionNotMet: 304 where a read would bring nothing new, else 412.

        HTTP dates have whole seconds, so the resource's time is cut to the second before it is compared.
        """
        seen = last_modified.replace(microsecond=0)
        if self.if_match is not None and not _names(self.if_match, etag):
            raise ServiceError("ConditionNotMet")
        if self.if_unmodified_since is not None and seen > self.if_unmodified_since:
            raise ServiceError("ConditionNotMet")
        unchanged = self.if_none_match is not None and _names(self.if_none_match, etag)
        unmodified = self.if_modified_since is not None and seen <= self.if_modified_since
        if unchanged or unmodified:
            raise ServiceError("ConditionNotMet", status=304 if reading else 412)


def read_date(headers: Headers, name: str) -> datetime | None:
    """The RFC 1123 date in a header as an aware datetime; raises InvalidHeaderValue if it is invalid."""
    text = headers.get(name)
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError as error:
        values = [("HeaderName", name), ("HeaderValue", text)]
        raise ServiceError("InvalidHeaderValue", values) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _names(header: str, etag: str) -> bool:
    """Whether an ETag header matches this ETag. Quotes and the weak prefix are ignored: clients send both forms."""
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    return "*" in tags or etag in tags
