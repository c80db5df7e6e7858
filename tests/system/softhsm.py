"""A SoftHSM2 token that holds what a card holds: a key, and its HPC-shaped certificate."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from card.virtual.authority import Authority, Issued
from card.virtual.profile import Profile

PIN, WRONG_PIN, SO_PIN = "Test-123", "Test-124", "So-Test-1"
LABEL = "TEST HPC 測試卡"
SECONDS = 60
MODULE = next(Path("/usr/lib").glob("**/libsofthsm2.so"))


@dataclass(frozen=True)
class SoftToken:
    """`configuration` is what SOFTHSM2_CONF has to name."""

    configuration: Path
    issued: Issued

    @staticmethod
    def create(folder: Path, authority: Authority, profile: str = "") -> SoftToken:
        """Initialise a token in `folder` and import key and certificate under CKA_ID 01."""
        issued = authority.issue(Profile.parse(profile))
        (folder / "tokens").mkdir()
        configuration = folder / "softhsm2.conf"
        configuration.write_text(f"directories.tokendir = {folder / 'tokens'}\n")
        key, certificate = folder / "key.pem", folder / "certificate.der"
        pem = issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        key.write_bytes(pem)
        certificate.write_bytes(issued.certificate)
        token = SoftToken(configuration, issued)
        token.run(
            "softhsm2-util",
            *("--init-token", "--free", "--label", LABEL, "--so-pin", SO_PIN, "--pin", PIN),
        )
        token.run(
            "softhsm2-util",
            *("--import", str(key), "--token", LABEL, "--pin", PIN, "--id", "01", "--label", "key"),
        )
        token.run(
            "pkcs11-tool",
            *("--module", str(MODULE), "--token-label", LABEL, "--login", "--pin", PIN),
            *("--write-object", str(certificate), "--type", "cert", "--id", "01"),
        )
        return token

    def run(self, *command: str) -> None:
        environment = {"SOFTHSM2_CONF": str(self.configuration), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            command, env=environment, capture_output=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr
