"""Where the key comes from, where it goes, and where it never does."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from tests.contract.cli.command import Command, environment, in_process
from tests.contract.cli.played_app import PlayedApp, answer, error
from tests.contract.recording_server import RecordingServer, whole

KEY = "key-that-nobody-may-see=="
ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.fixture
def healthy(app: PlayedApp) -> PlayedApp:
    """An app that is well."""
    app.routes["GET /health"] = {"status": "ok", "checks": {}}
    return app


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A key file as it should be."""
    path = tmp_path / "key"
    path.write_text(KEY + "\n")
    path.chmod(0o600)
    return path


def sent_keys(app: PlayedApp) -> list[str | None]:
    """The header of each call."""
    return [call.incoming.headers.get("x-functions-key") for call in app.calls]


def test_the_key_of_the_environment_goes_to_its_address(
    healthy: PlayedApp, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is sent only in its header, never in the address or another header."""
    monkeypatch.setenv("BATCH_TASK_DELETION_KEY", KEY)
    assert command("health").code == 0
    assert sent_keys(healthy) == [KEY]
    assert KEY not in healthy.calls[0].incoming.target
    assert healthy.calls[0].incoming.headers.get("authorization") is None


def test_the_key_of_the_environment_goes_nowhere_else(
    healthy: PlayedApp, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another `--url` it stays at home, and the person is told."""
    monkeypatch.setenv("BATCH_TASK_DELETION_KEY", KEY)
    monkeypatch.setenv("BATCH_TASK_DELETION_URL", "https://other.example")
    ended = command("--url", healthy.url, "health")
    assert ended.code == 0
    assert sent_keys(healthy) == [None]
    assert "BATCH_TASK_DELETION_KEY" in ended.err


def test_the_same_address_in_another_spelling_is_the_same(
    healthy: PlayedApp, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--url` with the environment's own address keeps its key."""
    monkeypatch.setenv("BATCH_TASK_DELETION_KEY", KEY)
    assert command("health", "--url", healthy.url.upper() + "/api/").code == 0
    assert sent_keys(healthy) == [KEY]


def test_a_key_file_goes_with_any_address(healthy: PlayedApp, command: Command, key_file: Path) -> None:
    """It was named for this call; the line end is no part of it."""
    assert command("health", "--url", healthy.url, "--key-file", str(key_file)).code == 0
    assert sent_keys(healthy) == [KEY]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_file_that_others_can_read_is_refused(
    healthy: PlayedApp, command: Command, key_file: Path, mode: int
) -> None:
    """2, before anything is sent, and without the key."""
    key_file.chmod(mode)
    ended = command("health", "--key-file", str(key_file))
    assert ended.code == 2
    assert "chmod 600" in ended.err
    assert KEY not in ended.err
    assert healthy.calls == []


@pytest.mark.parametrize("content", ["", "\n", "two words", "two\nlines", "k\x00y", "schlüssel"])
def test_a_file_without_a_key_is_refused(healthy: PlayedApp, command: Command, key_file: Path, content: str) -> None:
    """2: a header cannot hold it, and half of it is not shown either."""
    key_file.write_text(content)
    ended = command("health", "--key-file", str(key_file))
    assert ended.code == 2
    assert healthy.calls == []
    assert "two" not in ended.err.replace(str(key_file), "")


def test_a_key_file_that_is_not_there_is_2(healthy: PlayedApp, command: Command, tmp_path: Path) -> None:
    """Nothing is sent without the key that was meant."""
    assert command("health", "--key-file", str(tmp_path / "none")).code == 2
    assert healthy.calls == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://10.0.0.1:7071",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://user:password@127.0.0.1",
        "https://127.0.0.1/api?code=secret-in-the-address",
        "https://127.0.0.1/api#part",
        "ftp://127.0.0.1",
        "127.0.0.1:7071",
        "https://",
        "https://host:port",
        "",
        " ",
    ],
)
def test_an_address_that_cannot_be_meant_is_2(command: Command, url: str) -> None:
    """Plain http to anything but a loopback address too; a key in the address is not shown."""
    ended = command("health", "--url", url)
    assert ended.code == 2
    assert "secret" not in ended.err
    assert "password" not in ended.err


@pytest.mark.parametrize("ending", ["", "/", "/api", "/api/"])
def test_the_address_is_taken_with_or_without_api(healthy: PlayedApp, command: Command, ending: str) -> None:
    """All spellings lead to the same calls."""
    assert command("health", "--url", healthy.url + ending).code == 0
    assert healthy.calls[0].incoming.target == "/api/health"


def test_no_address_at_all_is_2(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text names the three ways to give one."""
    monkeypatch.delenv("BATCH_TASK_DELETION_URL")
    ended = command("health")
    assert ended.code == 2
    assert all(word in ended.err for word in ("BATCH_TASK_DELETION_URL", "--url", "--azd"))


def test_options_may_stand_before_and_after_the_command(healthy: PlayedApp, command: Command, key_file: Path) -> None:
    """All of them, with their values, in either spelling."""
    for arguments in (
        ["--url", healthy.url, f"--key-file={key_file}", "--json", "health"],
        ["health", f"--url={healthy.url}", "--key-file", str(key_file), "--json"],
        ["--json", "health", "--key-file", str(key_file)],
    ):
        ended = command(*arguments)
        assert (ended.code, len(ended.documents)) == (0, 1), arguments
    assert sent_keys(healthy) == [KEY] * 3


def test_options_of_a_command_may_stand_before_it_too(app: PlayedApp, command: Command) -> None:
    """A value that looks like a command is still a value."""
    app.routes["GET /dead-letters"] = {"value": [], "continuation": None}
    assert command("--reason", "status", "--most", "3", "dead-letters").code == 0
    assert app.calls[0].query == {"reason": "status", "top": "3"}


def test_the_netrc_file_is_not_read(healthy: PlayedApp, tmp_path: Path) -> None:
    """A password for that host stays in its file."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    env = environment(healthy.url, HOME=str(tmp_path), NETRC=str(netrc))
    assert in_process(["health"], env).code == 0
    assert healthy.calls[0].incoming.headers.get("authorization") is None


def test_the_key_is_never_shown(app: PlayedApp, command: Command, key_file: Path) -> None:
    """No output contains the key, whatever the app answers."""
    for fault in (answer(401), answer(302, None, Location="/x"), error(500, "InternalError"), answer(200)):
        app.faults = [fault] * 8
        for arguments in (["status", ID], ["summary", "--json"]):
            ended = command(*arguments, "--key-file", str(key_file))
            assert KEY not in ended.out + ended.err


def test_the_key_is_not_in_the_process_list(healthy: PlayedApp, command: Command) -> None:
    """There is no option that takes it as its value."""
    assert command("health", "--key", KEY).code == 2
    assert healthy.calls == []


def test_plain_http_to_a_loopback_address_goes_through_no_proxy(
    healthy: PlayedApp, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy on the way could read the key."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert command("health").code == 0


def test_https_goes_through_the_proxy_of_the_environment(
    app: PlayedApp, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy is asked for a tunnel; what it refuses is 3 at once."""
    monkeypatch.setenv("HTTPS_PROXY", app.url)
    ended = command("health", "--url", "https://app.example")
    assert ended.code == 3
    assert app.calls[0].incoming.target == "app.example:443"
    monkeypatch.setenv("NO_PROXY", "app.invalid")
    assert command("health", "--url", "https://app.invalid").code == 3
    assert len(app.calls) == 1


def test_the_bundle_of_the_environment_decides_whom_to_trust(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`REQUESTS_CA_BUNDLE` holds; a certificate that it does not vouch for is 3 at once, and no key is sent."""
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with RecordingServer(lambda _: whole(200, b'{"status": "ok", "checks": {}}'), tls) as server:
        assert command("health", "--url", server.url).code == 3
        assert server.seen == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        assert command("health", "--url", server.url).code == 0
    assert command.clock.slept == []
