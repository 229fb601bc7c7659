"""Batch account URLs: one canonical form each, and no way to send a token elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.parsing import account_url

ENTRY = "https://acct.region.batch.azure.com"
LOCAL = "http://127.0.0.1:8101"
ACCOUNTS = (ENTRY, LOCAL, "https://[2001:db8::1]:8443")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (ENTRY, ENTRY),
        (f"{ENTRY}/", ENTRY),
        (f"{ENTRY}:443", ENTRY),
        (f"{ENTRY}:443/", ENTRY),
        ("HTTPS://Acct.Region.BATCH.azure.com/", ENTRY),
        ("https://acct.region.batch.azure.com:8443", "https://acct.region.batch.azure.com:8443"),
        ("https://localhost", "https://localhost"),
        ("http://localhost:80", "http://localhost"),
        ("http://LocalHost:10001/", "http://localhost:10001"),
        ("http://127.0.0.1:443", "http://127.0.0.1:443"),
        ("http://127.255.3.4", "http://127.255.3.4"),
        ("http://[::1]:8101", "http://[::1]:8101"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
        ("https://[2001:DB8:0::1]", "https://[2001:db8::1]"),
    ],
)
def test_spellings_of_one_account_have_one_form(text: str, canonical: str) -> None:
    """Letter case, a final slash and the default port do not change an account URL's canonical form."""
    assert account_url.canonical(text) == canonical


LOOK_ALIKES = [
    "", "acct.region.batch.azure.com", "//acct.region.batch.azure.com", "ftp://acct.region.batch.azure.com", "https://",
    "https:///", "https:acct.region.batch.azure.com", "https:/acct.region.batch.azure.com", f"{ENTRY}.", f"{ENTRY}//",
    f"{ENTRY}/jobs", f"{ENTRY}?x=1", f"{ENTRY}/?", f"{ENTRY}#", f"{ENTRY}/#x", f"{ENTRY}:", f"{ENTRY}:0", f"{ENTRY}:0443",
    f"{ENTRY}:99999", f"{ENTRY}:\uff14\uff14\uff13", f"{ENTRY}\n", f" {ENTRY}", f"{ENTRY} ", f"{ENTRY}\t", "ht\ttps://acct.region.batch.azure.com",
    "https://acct.region.batch.azure.com@evil.example", "https://user:pw@acct.region.batch.azure.com",
    "https://evil.example\\@acct.region.batch.azure.com", "https://evil.example\\.acct.region.batch.azure.com",
    "https:\\\\acct.region.batch.azure.com", "https://acct.region.batch.azure.com%00.evil.example",
    "https://acct.region.batch.azure.com%2f", "https://acct\u3002region.batch.azure.com", "https://\u0430cct.region.batch.azure.com",
    "https://acct..batch.azure.com", "https://.acct", "https://acct_1.region", "https://[::1", "https://[::1]]", "https://[zz]",
    "https://[:::1]", "https://[fe80::1%25eth0]", "https://[...]", "https://" + "a" * 64, "https://" + "a." * 200 + "a",
]  # fmt: skip


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_a_look_alike_is_refused(text: str) -> None:
    """A URL that could be read as another host, or in two ways, is refused."""
    with pytest.raises(ValueError, match="must "):
        account_url.canonical(text)
    with pytest.raises(ValueError, match="must "):
        account_url.select(text, ACCOUNTS)


@pytest.mark.parametrize(
    "host",
    [
        "acct.region.batch.azure.com", "10.0.0.1", "128.0.0.1", "0.0.0.0", "127.1", "2130706433", "0x7f000001", "127.0.0.01",
        "127.0.0.256", "127.0.0.1.evil.example", "localhost.evil.example", "localhost4", "[::2]", "[::ffff:127.0.0.1]",
        "169.254.169.254",
    ],
)  # fmt: skip
def test_plain_http_is_for_loopback_alone(host: str) -> None:
    """Plain http is accepted for loopback hosts alone."""
    with pytest.raises(ValueError, match="must "):
        account_url.canonical(f"http://{host}")


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        (ENTRY, ENTRY),
        ("https://ACCT.region.batch.azure.com:443/", ENTRY),
        ("http://127.0.0.1:8101/", LOCAL),
        ("https://[2001:0db8::1]:8443", "https://[2001:db8::1]:8443"),
    ],
)
def test_a_text_selects_an_entry(text: str, entry: str) -> None:
    """A URL in any spelling selects its entry of the allow list."""
    assert account_url.select(text, ACCOUNTS) == entry


@pytest.mark.parametrize(
    "text",
    [
        "https://other.region.batch.azure.com",
        "https://evil.acct.region.batch.azure.com",
        "https://acct.region.batch.azure.com.evil.example",
        "https://acct.region.batch.azure.com:8443",
        "http://127.0.0.1:8102",
        "https://127.0.0.1:8101",
        "http://127.0.0.2:8101",
        "http://localhost:8101",
    ],
)
def test_another_account_is_refused(text: str) -> None:
    """A URL whose scheme, host or port is not that of an entry is refused."""
    with pytest.raises(ValueError, match="must be one of the Batch accounts"):
        account_url.select(text, ACCOUNTS)


@given(st.text(st.characters(), max_size=60) | st.text("azAZ01234589.:[]@\\/-", max_size=40).map("https://{}".format))
def test_a_canonical_form_is_its_own(text: str) -> None:
    """Any text is refused with ValueError or has a canonical form that is unchanged by a second pass."""
    try:
        once = account_url.canonical(text)
    except ValueError:
        return
    assert account_url.canonical(once) == once
