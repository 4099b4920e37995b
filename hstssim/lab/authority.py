"""Certificates: a private authority made at start, and a leaf for each name when a client first asks for it.

Every fault that a client must notice (RFC 6797 §8.4) is a `Kind`. Certificates follow the machine's clock,
whatever a test does to the lab's. Never here: which site has which kind.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
import threading
from base64 import b64encode
from collections import OrderedDict
from hashlib import sha1

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hstssim.lab.machine import day, unfrozen_datetime
from hstssim.script import Kind

WRONG_NAME = "wrong-name.invalid"
"""The only name in a certificate of the kind wrong-name."""

_KEPT = 2048  # contexts; clients that make names up must not fill the memory
_VALID_FOR = {"expired": (-30.0, -1.0), "not-yet-valid": (1.0, 30.0)}  # days from now


class Authority:
    """A certificate authority that trusts nobody, and whom only clients of the lab trust.

    Args:
        directory: where `ca.pem` is written, the file that clients are pointed to.
    """

    def __init__(self, directory: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())  # one for all leaves: a new one costs time
        with unfrozen_datetime():
            self.certificate = self._issuer("hstssim lab", self._key)
        self.file = os.path.join(directory, "ca.pem")
        self._key_file = os.path.join(directory, "leaf-key.pem")
        self._leaf_file = os.path.join(directory, "leaf.pem")
        self._contexts: OrderedDict[tuple[str, Kind], ssl.SSLContext] = OrderedDict()
        self._lock = threading.Lock()
        _write(self.file, self.certificate.public_bytes(Encoding.PEM))
        _write(self._key_file, self._leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    @property
    def pem(self) -> str:
        """The authority's certificate in PEM."""
        return self.certificate.public_bytes(Encoding.PEM).decode("ascii")

    @property
    def base64(self) -> str:
        """The same in base64 of DER, in one line."""
        return b64encode(self.certificate.public_bytes(Encoding.DER)).decode("ascii")

    @property
    def subject_hash(self) -> str:
        """The name, in hexadecimal, by which OpenSSL finds the certificate in a folder (X509_NAME_hash).

        It is made of the subject with its texts in UTF-8, lower case and single spaces, without the outermost tag.
        """
        parts = []
        for attribute in self.certificate.subject:
            folded = x509.NameAttribute(attribute.oid, " ".join(str(attribute.value).lower().split()))
            parts.append(_content(x509.Name([folded]).public_bytes()))
        return sha1(b"".join(parts), usedforsecurity=False).digest()[3::-1].hex()

    def context(self, name: str, kind: Kind) -> ssl.SSLContext:
        """A server's context that presents a certificate of this kind for `name`."""
        with self._lock:
            context = self._contexts.get((name, kind))
            if context is None:
                context = self._contexts[name, kind] = self._server_context(name, kind)
                if len(self._contexts) > _KEPT:
                    self._contexts.popitem(last=False)
            else:
                self._contexts.move_to_end((name, kind))
            return context

    def issue(self, name: str, kind: Kind = "valid") -> x509.Certificate:
        """A new certificate of this kind for `name`, a host in canonical form."""
        names = {"wrong-name": [WRONG_NAME], "wildcard": [name, f"*.{name}"], "ip-address": ["127.0.0.1"]}
        begin, end = _VALID_FOR.get(kind, (-1.0, 90.0))
        issuer, key = self.certificate, self._key
        if kind == "unknown-issuer":
            key = ec.generate_private_key(ec.SECP256R1())
            issuer = self._issuer("an issuer nobody knows", key)
        elif kind == "self-signed":
            key = self._leaf_key
        subject = _distinguished("a site of the lab")  # clients may take a host's name for one that is meant
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        builder = (
            _builder(subject, self._leaf_key.public_key(), begin, end)
            .issuer_name(subject if kind == "self-signed" else issuer.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.SubjectAlternativeName(map(_general_name, names.get(kind, [name]))), critical=False
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        )
        return builder.sign(key, SHA256())

    def _issuer(self, name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        subject = _distinguished(name)
        builder = _builder(subject, key.public_key(), -60.0, 365.0).issuer_name(subject)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        return builder.add_extension(usage, critical=True).sign(key, SHA256())

    def _server_context(self, name: str, kind: Kind) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _write(self._leaf_file, self.issue(name, kind).public_bytes(Encoding.PEM))
        context.load_cert_chain(self._leaf_file, self._key_file)  # it takes files only
        os.unlink(self._leaf_file)
        context.set_alpn_protocols(["http/1.1"])
        # No tickets: a session that is resumed shows no certificate.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
        return context


def _content(sequence: bytes) -> bytes:
    """What is in a sequence of DER of less than 128 bytes."""
    assert sequence[1] < 128
    return sequence[2:]


def _distinguished(name: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "hstssim"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, begin: float, end: float
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    return builder.not_valid_before(day(begin)).not_valid_after(day(end))


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return x509.DNSName(name)


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
