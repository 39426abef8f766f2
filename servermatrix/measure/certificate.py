"""Makes the certificate that all servers of a run present: one for all, so that no handshake is cheaper than another's."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from servermatrix.contracts import Launch


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate chain and its key for 127.0.0.1, and the authority that signed it, all PEM; the key is PKCS #8."""

    chain_pem: str
    key_pem: str = field(repr=False)
    authority_pem: str


def make_certificate() -> Certificate:
    """Make a certificate that nobody else trusts, with a key on P-256."""
    import trustme  # noqa: PLC0415 - most runs encrypt nothing and should not have a cryptography library in memory
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    issued = authority.issue_cert("127.0.0.1", "localhost", key_type=trustme.KeyType.ECDSA)
    # Rust's TLS library reads PKCS #8 only, and trustme writes SEC 1.
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), password=None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Certificate(
        chain_pem=b"".join(blob.bytes() for blob in issued.cert_chain_pems).decode(),
        key_pem=key.decode(),
        authority_pem=authority.cert_pem.bytes().decode(),
    )


def write_certificate(certificate: Certificate, launch: Launch) -> None:
    """Put the files where the launch says they are, the key for nobody else to read; OSError when that is refused."""
    Path(launch.certificate).write_text(certificate.chain_pem)
    key = Path(launch.key)
    key.touch(mode=0o600)
    key.write_text(certificate.key_pem)
