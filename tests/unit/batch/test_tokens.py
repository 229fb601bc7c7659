"""The token source: one request at a time, shared by all that wait, and no secret in its errors."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from azure.core.exceptions import ClientAuthenticationError, DecodeError, ServiceRequestError
from azure.identity import CredentialUnavailableError

from shared.batch.tokens import TokenSource, normalised_scope
from shared.errors import TokenUnavailable
from tests.fakes.clock import FakeClock

SCOPE = "https://batch.core.windows.net//.default"
HOUR = 3600


@dataclass(frozen=True)
class Token:
    """What a credential gives."""

    token: str
    expires_on: int


@dataclass
class Issuer:
    """Counts credentials and token requests; `act` may raise or wait before a token is given."""

    clock: FakeClock
    life: int = 24 * HOUR
    act: Callable[[], None] = lambda: None
    credentials: int = 0
    scopes: list[str] = field(default_factory=list)

    def __call__(self) -> Issuer:
        """A new credential."""
        self.credentials += 1
        return self

    def get_token(self, *scopes: str) -> Token:
        """The next token."""
        self.scopes += scopes
        number = len(self.scopes)
        self.act()
        return Token(f"token-{number}", int(self.clock.now().timestamp()) + self.life)


def source(issuer: Issuer) -> TokenSource:
    """A token source for this issuer."""
    return TokenSource(issuer, SCOPE, issuer.clock)


def failing(error: Exception) -> Callable[[], None]:
    """A function that raises."""

    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("https://batch.core.windows.net//.default", "https://batch.core.windows.net//.default"),
        ("https://batch.core.windows.net/.default", "https://batch.core.windows.net//.default"),
        ("https://batch.core.windows.net/", "https://batch.core.windows.net//.default"),
        ("https://batch.core.windows.net", "https://batch.core.windows.net//.default"),
        ("https://batch.chinacloudapi.cn///.default", "https://batch.chinacloudapi.cn//.default"),
    ],
)
def test_the_scope_ends_in_two_slashes(text: str, scope: str) -> None:
    """However the scope is written, it keeps the final slash of the audience, which Batch insists on."""
    assert normalised_scope(text) == scope


def test_nothing_is_asked_before_it_is_needed() -> None:
    """Creating a token source makes no credential and no token request."""
    issuer = Issuer(FakeClock())
    source(issuer)
    assert (issuer.credentials, issuer.scopes) == (0, [])


def test_a_token_is_kept_and_asked_for_in_the_right_scope() -> None:
    """Successive calls share one token, requested once in the configured scope."""
    issuer = Issuer(FakeClock())
    tokens = source(issuer)
    assert [tokens.token(), tokens.token()] == ["token-1", "token-1"]
    assert (issuer.credentials, issuer.scopes) == (1, [SCOPE])


def test_the_credential_is_asked_again_after_five_minutes() -> None:
    """After five minutes the same credential is asked again, so that it can renew a long-lived token."""
    issuer = Issuer(FakeClock())
    tokens = source(issuer)
    tokens.token()
    issuer.clock.advance(299)
    assert tokens.token() == "token-1"
    issuer.clock.advance(1)
    assert (tokens.token(), issuer.credentials) == ("token-2", 1)


def test_a_token_is_renewed_five_minutes_before_its_end() -> None:
    """A token is renewed when it has less than five minutes left."""
    issuer = Issuer(FakeClock(), life=540)
    tokens = source(issuer)
    tokens.token()
    issuer.clock.advance(239)
    assert tokens.token() == "token-1"
    issuer.clock.advance(1)
    assert tokens.token() == "token-2"


def test_a_short_token_is_not_fetched_by_every_call() -> None:
    """A token that lives less than five minutes is used for half its life."""
    issuer = Issuer(FakeClock(), life=60)
    tokens = source(issuer)
    assert [tokens.token() for _ in range(3)] == ["token-1"] * 3
    issuer.clock.advance(31)
    assert tokens.token() == "token-2"


def test_a_failed_renewal_falls_back_on_the_valid_token() -> None:
    """If a renewal fails, the still valid token is used, and the endpoint is not asked for half a minute."""
    issuer = Issuer(FakeClock(), life=2 * HOUR)
    tokens = source(issuer)
    tokens.token()
    issuer.act = failing(ServiceRequestError("down"))
    issuer.clock.advance(301)
    assert [tokens.token(), tokens.token()] == ["token-1", "token-1"]
    assert len(issuer.scopes) == 2
    issuer.clock.advance(30)
    assert (tokens.token(), len(issuer.scopes)) == ("token-1", 3)


def test_an_expired_token_is_not_used() -> None:
    """If the token has expired and cannot be renewed, the call fails."""
    issuer = Issuer(FakeClock(), life=HOUR)
    tokens = source(issuer)
    tokens.token()
    issuer.act = failing(ServiceRequestError("down"))
    issuer.clock.advance(HOUR)
    with pytest.raises(TokenUnavailable):
        tokens.token()


@pytest.mark.parametrize(
    "error",
    [
        ClientAuthenticationError("refused"),
        ServiceRequestError("down"),
        DecodeError("no JSON"),
        ValueError("msal: no expires_on"),
        KeyError("IDENTITY_HEADER"),
        ImportError("azure.identity"),
    ],
)
def test_every_fault_of_the_credential_is_one_error(error: Exception) -> None:
    """Whatever the credential raises becomes TokenUnavailable, and the next call tries again."""
    issuer = Issuer(FakeClock(), act=failing(error))
    tokens = source(issuer)
    with pytest.raises(TokenUnavailable, match=r"no token from the identity endpoint: \w+"):
        tokens.token()
    issuer.act = lambda: None
    assert tokens.token() == "token-2"


def test_the_error_tells_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """A secret in the library's exception appears neither in the error nor in the log."""
    caplog.set_level(logging.DEBUG)
    issuer = Issuer(FakeClock(), act=failing(DecodeError('Content: {"access_token": "s3cret"')))
    with pytest.raises(TokenUnavailable) as caught:
        source(issuer).token()
    assert "s3cret" not in f"{caught.value}{caplog.text}"
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (CredentialUnavailableError("s3cret"), "no managed identity is assigned, or AZURE_CLIENT_ID names another one"),
        (ClientAuthenticationError("s3cret"), "BATCH_CREDENTIAL=developer"),
    ],
)
def test_the_error_says_where_to_look(error: Exception, hint: str) -> None:
    """The error names the likely cause, such as an identity that is not assigned."""
    with pytest.raises(TokenUnavailable) as caught:
        source(Issuer(FakeClock(), act=failing(error))).token()
    assert hint in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("text", ["two words", "line\nbreak", "naïve"])
def test_a_token_that_fits_no_header_is_none(text: str) -> None:
    """A token that cannot be a header value is refused as TokenUnavailable."""
    clock = FakeClock()
    issuer = Issuer(clock)
    issuer.get_token = lambda *_: Token(text, int(clock.now().timestamp()) + HOUR)  # type: ignore[method-assign]
    with pytest.raises(TokenUnavailable) as caught:
        source(issuer).token()
    assert text not in str(caught.value)


@dataclass
class Crowd:
    """Threads that ask for a token at the same time, while the first of them is held at the endpoint."""

    error: Exception | None = None
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    results: list[str] = field(default_factory=list)

    def hold(self) -> None:
        """Blocks the credential until the test releases it, and then fails if told to."""
        self.reached.set()
        assert self.released.wait(10)
        if self.error:
            raise self.error

    def run(self, ask: Callable[[], str]) -> None:
        """Lets eight threads ask, releases the endpoint once all wait, and returns when all have their result."""
        threads = [threading.Thread(target=self._ask, args=(ask,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        while not all(waits(thread) for thread in threads):
            assert not self.released.wait(0.001)
        self.released.set()
        for thread in threads:
            thread.join(10)

    def _ask(self, ask: Callable[[], str]) -> None:
        try:
            self.results.append(ask())
        except TokenUnavailable as error:
            self.results.append(str(error))


def waits(thread: threading.Thread) -> bool:
    """Whether a thread is inside a `wait`."""
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None and frame.f_code is not threading.Event.wait.__code__:
        frame = frame.f_back
    return frame is not None


def test_cold_threads_share_one_fetch() -> None:
    """Threads that need the first token at the same time share one request."""
    crowd = Crowd()
    issuer = Issuer(FakeClock(), act=crowd.hold)
    crowd.run(source(issuer).token)
    assert (crowd.results, len(issuer.scopes)) == (["token-1"] * 8, 1)


def test_waiting_threads_share_the_failure() -> None:
    """Threads that wait for a token share the failure of one request, without asking again in turn."""
    crowd = Crowd(error=ServiceRequestError("down"))
    issuer = Issuer(FakeClock(), act=crowd.hold)
    crowd.run(source(issuer).token)
    assert len(issuer.scopes) == 1
    assert crowd.results == ["no token from the identity endpoint: it could not be reached"] * 8


def test_valid_tokens_are_served_while_one_is_renewed() -> None:
    """While one thread renews the token slowly, the others get the one that is still valid."""
    issuer = Issuer(FakeClock(), life=2 * HOUR)
    tokens = source(issuer)
    tokens.token()
    issuer.clock.advance(301)
    crowd = Crowd()
    issuer.act = crowd.hold
    renewal = threading.Thread(target=tokens.token)
    renewal.start()
    assert crowd.reached.wait(10)
    assert tokens.token() == "token-1"
    crowd.released.set()
    renewal.join(10)
    assert tokens.token() == "token-2"


def test_a_refused_token_is_replaced_from_a_fresh_credential() -> None:
    """A refused token is replaced through a new credential, because the old one caches it."""
    issuer = Issuer(FakeClock())
    tokens = source(issuer)
    assert tokens.renewed(tokens.token()) == "token-2"
    assert issuer.credentials == 2


def test_only_the_first_refusal_drops_the_token() -> None:
    """Threads whose same token was refused share the one replacement."""
    issuer = Issuer(FakeClock())
    tokens = source(issuer)
    stale = tokens.token()
    assert [tokens.renewed(stale) for _ in range(3)] == ["token-2"] * 3
    assert (issuer.credentials, len(issuer.scopes)) == (2, 2)


def test_a_renewal_under_way_does_not_bring_the_refused_token_back() -> None:
    """A renewal that was under way during a refusal does not replace the newer token."""
    issuer = Issuer(FakeClock(), life=2 * HOUR)
    tokens = source(issuer)
    stale = tokens.token()
    issuer.clock.advance(301)
    crowd = Crowd()
    issuer.act = crowd.hold
    late = threading.Thread(target=tokens.token)
    late.start()
    assert crowd.reached.wait(10)
    issuer.act = lambda: None
    fresh = tokens.renewed(stale)
    crowd.released.set()
    late.join(10)
    assert tokens.token() == fresh == "token-3"


def test_a_failed_replacement_does_not_fall_back_on_the_refused_token() -> None:
    """A refused token is not used again, even if no replacement can be had."""
    issuer = Issuer(FakeClock())
    tokens = source(issuer)
    stale = tokens.token()
    issuer.act = failing(ServiceRequestError("down"))
    with pytest.raises(TokenUnavailable):
        tokens.renewed(stale)
