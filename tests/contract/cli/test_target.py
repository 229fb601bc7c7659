"""Where the command takes its key from, and to which addresses it sends it."""

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
    """A healthy app."""
    app.routes["GET /health"] = {"status": "ok", "checks": {}}
    return app


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A key file with the right permissions."""
    path = tmp_path / "key"
    path.write_text(KEY + "\n")
    path.chmod(0o600)
    return path


def sent_keys(app: PlayedApp) -> list[str | None]:
    """The `x-functions-key` header of each call."""
    return [call.incoming.headers.get("x-functions-key") for call in app.calls]


def test_the_key_of_the_environment_goes_to_its_address(
    healthy: PlayedApp, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key from the environment is sent in its header only, never in the address or another header."""
    monkeypatch.setenv("BATCH_TASK_DELETION_KEY", KEY)
    assert command("health").code == 0
    assert sent_keys(healthy) == [KEY]
    assert KEY not in healthy.calls[0].incoming.target
    assert healthy.calls[0].incoming.headers.get("authorization") is None


def test_the_key_of_the_environment_goes_nowhere_else(
    healthy: PlayedApp, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key from the environment is not sent to an address given by `--url`, and the command says so."""
    monkeypatch.setenv("BATCH_TASK_DELETION_KEY", KEY)
    monkeypatch.setenv("BATCH_TASK_DELETION_URL", "https://other.example")
    ended = command("--url", healthy.url, "health")
    assert ended.code == 0
    assert sent_keys(healthy) == [None]
    assert "BATCH_TASK_DELETION_KEY" in ended.err


def test_the_same_address_in_another_spelling_is_the_same(
    healthy: PlayedApp, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If `--url` is the environment's address in another spelling, the environment's key is sent."""
    monkeypatch.setenv("BATCH_TASK_DELETION_KEY", KEY)
    assert command("health", "--url", healthy.url.upper() + "/api/").code == 0
    assert sent_keys(healthy) == [KEY]


def test_a_key_file_goes_with_any_address(healthy: PlayedApp, command: Command, key_file: Path) -> None:
    """The key from `--key-file` is sent to any address, without the file's line end."""
    assert command("health", "--url", healthy.url, "--key-file", str(key_file)).code == 0
    assert sent_keys(healthy) == [KEY]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_file_that_others_can_read_is_refused(
    healthy: PlayedApp, command: Command, key_file: Path, mode: int
) -> None:
    """A key file that others can read is refused with code 2 before any call, and the key is not shown."""
    key_file.chmod(mode)
    ended = command("health", "--key-file", str(key_file))
    assert ended.code == 2
    assert "chmod 600" in ended.err
    assert KEY not in ended.err
    assert healthy.calls == []


@pytest.mark.parametrize("content", ["", "\n", "two words", "two\nlines", "k\x00y", "schlüssel"])
def test_a_file_without_a_key_is_refused(healthy: PlayedApp, command: Command, key_file: Path, content: str) -> None:
    """A key file whose content cannot be a header value is refused with code 2, and its content is not shown."""
    key_file.write_text(content)
    ended = command("health", "--key-file", str(key_file))
    assert ended.code == 2
    assert healthy.calls == []
    assert "two" not in ended.err.replace(str(key_file), "")


def test_a_key_file_that_is_not_there_is_2(healthy: PlayedApp, command: Command, tmp_path: Path) -> None:
    """A missing key file ends the command with code 2, and nothing is sent without the key."""
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
    """An unsafe or malformed address ends with code 2, such as plain http beyond loopback; its secrets stay hidden."""
    ended = command("health", "--url", url)
    assert ended.code == 2
    assert "secret" not in ended.err
    assert "password" not in ended.err


@pytest.mark.parametrize("ending", ["", "/", "/api", "/api/"])
def test_the_address_is_taken_with_or_without_api(healthy: PlayedApp, command: Command, ending: str) -> None:
    """The app's address may be given with or without `/api` and a final slash."""
    assert command("health", "--url", healthy.url + ending).code == 0
    assert healthy.calls[0].incoming.target == "/api/health"


def test_no_address_at_all_is_2(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an address the command ends with code 2 and names the three ways to give one."""
    monkeypatch.delenv("BATCH_TASK_DELETION_URL")
    ended = command("health")
    assert ended.code == 2
    assert all(word in ended.err for word in ("BATCH_TASK_DELETION_URL", "--url", "--azd"))


def test_options_may_stand_before_and_after_the_command(healthy: PlayedApp, command: Command, key_file: Path) -> None:
    """Global options may stand before or after the command, as `--name value` or `--name=value`."""
    for arguments in (
        ["--url", healthy.url, f"--key-file={key_file}", "--json", "health"],
        ["health", f"--url={healthy.url}", "--key-file", str(key_file), "--json"],
        ["--json", "health", "--key-file", str(key_file)],
    ):
        ended = command(*arguments)
        assert (ended.code, len(ended.documents)) == (0, 1), arguments
    assert sent_keys(healthy) == [KEY] * 3


def test_options_of_a_command_may_stand_before_it_too(app: PlayedApp, command: Command) -> None:
    """A command's own options may stand before it, even if a value looks like another command."""
    app.routes["GET /dead-letters"] = {"value": [], "continuation": None}
    assert command("--reason", "status", "--most", "3", "dead-letters").code == 0
    assert app.calls[0].query == {"reason": "status", "top": "3"}


def test_the_netrc_file_is_not_read(healthy: PlayedApp, tmp_path: Path) -> None:
    """The command sends no password from a `.netrc` file."""
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
    """No option takes the key itself, which would then show in the process list."""
    assert command("health", "--key", KEY).code == 2
    assert healthy.calls == []


def test_plain_http_to_a_loopback_address_goes_through_no_proxy(
    healthy: PlayedApp, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain http to a loopback address bypasses any proxy, which could read the key."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert command("health").code == 0


def test_https_goes_through_the_proxy_of_the_environment(
    app: PlayedApp, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over https the command uses HTTPS_PROXY unless NO_PROXY excludes the host; a refusal by the proxy gives 3."""
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
    """`REQUESTS_CA_BUNDLE` decides which certificates are trusted; any other ends with 3, and no key is sent."""
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
