"""Certificates for servers, made as docs/operating.md says."""

import subprocess
from pathlib import Path

import needs


class Authority:
    """Signs certificates; its own is `trust`."""

    def __init__(self, directory: Path):
        needs.debian("openssl")
        self.directory = directory
        directory.mkdir()
        self.openssl("req", "-x509", *NEW_KEY, "-days", "30", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")
        self.trust = directory / "ca.pem"

    def sign(self, name: str, *alternative_names: str) -> Path:
        """A key store in PEM for a server with these names, like `IP:127.0.0.1`."""
        (self.directory / "names").write_text(f"subjectAltName={','.join(alternative_names)}\n")
        self.openssl("req", *NEW_KEY, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "names")
        self.openssl("x509", "-req", "-in", f"{name}.csr", *signing, "-out", f"{name}.crt")
        store = self.directory / f"{name}.pem"
        store.write_text("".join((self.directory / f"{name}.{part}").read_text() for part in ("key", "crt")))
        return store

    def openssl(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], cwd=self.directory, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


NEW_KEY = ("-newkey", "rsa:2048", "-nodes")
