"""TLS in front of the Batch stub, by Node, which the emulator needs anyway and which is not a bottleneck here."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import certifi
import trustme

from devstack.azurite.install import ensure_installed
from devstack.program import Program
from devstack.stack_settings import inherited_environment

SCRIPT = Path(__file__).with_suffix(".js")


class TlsFront:
    """A TLS endpoint for `localhost` in front of a URL, as a context manager."""

    def __init__(self, behind: str, folder: Path) -> None:
        self.url = ""
        self.ca = folder / "ca.pem"
        """certifi's bundle and the one certificate, so that loading it takes as long as in production."""
        self._behind = behind
        self._folder = folder
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost")
        self.ca.write_bytes(Path(certifi.where()).read_bytes() + authority.cert_pem.bytes())
        cert, key = self._folder / "cert.pem", self._folder / "key.pem"
        cert.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        key.write_bytes(certificate.private_key_pem.bytes())
        node = ensure_installed()[0]
        command = [node, str(SCRIPT), str(cert), str(key), self._behind.rpartition(":")[2]]
        program = Program("TLS front", command, log=self._folder / "tls.log", env=inherited_environment())
        self._cleanup.callback(program.stop)
        program.start()
        self.url = program.wait_for(r"(?m)^https://localhost:\d+$", 30)[0]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._cleanup.close()
