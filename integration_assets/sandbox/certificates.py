"""The sandbox's own certificate authority, its certificates for mutual TLS, and its SSH keys.

Belongs here: making them at the first start, keeping them in one private folder, and where each lies. They are worth
nothing outside the sandbox: nobody else trusts the authority, and it certifies no name but this machine's own. A second
authority, which no server of the sandbox trusts, has certified the "stranger".
"""

import ipaddress
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KEYS_FOLDER = "sandbox_tls"
"""Name of the folder, in the data directory of a sandbox."""

_VALID_FOR = timedelta(days=3650)
_CLOCKS_DIFFER_BY = timedelta(days=1)
_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


@dataclass(frozen=True)
class Keys:
    """Where everything lies: PEM files, certificates with their keys in one file; SSH keys in OpenSSH's own form."""

    folder: Path

    @property
    def authority(self) -> Path:
        """The certificate of the authority that servers and clients of the sandbox trust."""
        return self.folder / "ca.pem"

    @property
    def server(self) -> Path:
        """Certificate and key of the servers, for 127.0.0.1 and localhost."""
        return self.folder / "server.pem"

    @property
    def client(self) -> Path:
        """Certificate and key of the product."""
        return self.folder / "client.pem"

    @property
    def stranger(self) -> Path:
        """Certificate and key of a client whose authority the servers do not trust."""
        return self.folder / "stranger.pem"

    @property
    def ssh_host(self) -> Path:
        """Private key of the SFTP server."""
        return self.folder / "ssh_host_key"

    @property
    def ssh_client(self) -> Path:
        """Private key with which the product logs in at the SFTP server."""
        return self.folder / "ssh_client_key"

    def ssh_host_line(self) -> str:
        """The public key of the SFTP server as one line: "ssh-ed25519 AAAA…"."""
        return _public_line(self.ssh_host)

    def ssh_client_line(self) -> str:
        """The public key of the product as one line."""
        return _public_line(self.ssh_client)


def keys_of(folder: Path) -> Keys:
    """The keys in a folder, made when one of them is missing. Files are readable by their owner only."""
    keys = Keys(folder)
    files = (keys.authority, keys.server, keys.client, keys.stranger, keys.ssh_host, keys.ssh_client)
    if not all(path.exists() for path in files):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority = _Authority("Sandbox CA")
        _write(keys.server, authority.server())
        _write(keys.client, authority.client("Sandbox product"))
        _write(keys.stranger, _Authority("Another CA").client("Stranger"))
        _write(keys.ssh_host, _ssh_key())
        _write(keys.ssh_client, _ssh_key())
        _write(keys.authority, authority.pem)
    return keys


class _Authority:
    """A certificate authority with a key that is never written down."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        public = self._key.public_key()
        builder = (
            self._dated(self._name)
            .public_key(public)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )
        self._certificate = builder.sign(self._key, hashes.SHA256())
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM)

    def server(self) -> bytes:
        """Certificate and key of a server on this machine."""
        here = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        return self._issued("Sandbox", ExtendedKeyUsageOID.SERVER_AUTH, x509.SubjectAlternativeName(here))

    def client(self, name: str) -> bytes:
        """Certificate and key of a client."""
        return self._issued(name, ExtendedKeyUsageOID.CLIENT_AUTH)

    def _issued(self, name: str, purpose: x509.ObjectIdentifier, *extensions: x509.ExtensionType) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key()
        builder = (
            self._dated(_named(name))
            .public_key(public)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage("digital_signature"), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return certificate.public_bytes(serialization.Encoding.PEM) + private

    def _dated(self, subject: x509.Name) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCKS_DIFFER_BY)
            .not_valid_after(now + _VALID_FOR)
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*allowed: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in allowed for name in _USAGES})


def _ssh_key() -> bytes:
    return ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )


def _public_line(path: Path) -> str:
    private = serialization.load_ssh_private_key(path.read_bytes(), None)
    public = private.public_key()
    return public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode("ascii")


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)
