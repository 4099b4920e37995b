"""A private certificate authority, and one loopback proxy that is the whole Internet to a program.

Here: certificates, sockets, what arrived where. Never here: what a program is, or what a header means.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
import re
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

TLS_HANDSHAKE = b"\x16"
"""The first byte of a TLS connection (RFC 8446 §5.1)."""
PATIENCE = 30
"""Seconds that a connection may stand still."""

_PORTS = {"http": 80, "https": 443}


class Authority:
    """A certificate authority made for one run, and its one certificate, for every name it is told."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a certificate authority for one test")])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "every name of one test")])
        authority = (
            _certificate(issuer, issuer, authority_key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .sign(authority_key, hashes.SHA256())
        )
        leaf = (
            _certificate(subject, issuer, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .sign(authority_key, hashes.SHA256())
        )
        self.certificate = folder / "authority.pem"
        """What a program is told to trust."""
        self.certificate.write_bytes(authority.public_bytes(Encoding.PEM))
        self.chain = folder / "server.pem"
        """What a server needs: its key and its certificate."""
        self.chain.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + leaf.public_bytes(Encoding.PEM)
        )
        public_key = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.key_hash = base64.b64encode(hashlib.sha256(public_key).digest()).decode()
        """The server's public key, as `--ignore-certificate-errors-spki-list` wants it."""


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Arrival(NamedTuple):
    """One request, as it came in."""

    secure: bool
    """Whether it came over TLS."""
    host: str
    """In lower case."""
    port: int
    path: str
    """Empty if TLS failed: the program takes the certificate for no such name."""
    time: float
    """POSIX seconds at which it was answered."""

    @property
    def origin(self) -> str:
        """`https://example.com`, with the port if it is not the scheme's own."""
        scheme = "https" if self.secure else "http"
        return f"{scheme}://{self.host}" + ("" if self.port == _PORTS[scheme] else f":{self.port}")


class Internet(socketserver.ThreadingTCPServer):
    """A forward proxy that answers for every host and port itself.

    Each request has a connection of its own. Each host sends its fields; `/page` is the page; `/done` sets
    `done`.

    Args:
        authority: whose certificate it shows.
        fields: the values of the Strict-Transport-Security lines of each host, sent as they are.
        page: the HTML of `/page`.
    """

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, authority: Authority, fields: Mapping[str, Sequence[bytes]], page: bytes = b"") -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.authority = authority
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # In TLS 1.3 wget ends its handshake with two small writes, and each connection waits 40 ms for an ACK.
        self.tls.maximum_version = ssl.TLSVersion.TLSv1_2
        self.tls.load_cert_chain(authority.chain)
        self.fields = fields
        self.page = page
        self.done = threading.Event()
        self.arrivals: list[Arrival] = []
        self.port: int = self.server_address[1]
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: programs break connections off as they like."""

    def answer(self, arrival: Arrival) -> bytes:
        """The whole response to a request that just came in."""
        self.arrivals.append(arrival)
        body = self.page if arrival.path == "/page" else b""
        lines = [b"HTTP/1.1 200 OK", b"Content-Type: text/html", b"Content-Length: %d" % len(body)]
        lines += [b"Cache-Control: no-store", b"Connection: close"]
        lines += [b"Strict-Transport-Security:" + value for value in self.fields.get(arrival.host, ())]
        if arrival.path == "/done":
            self.done.set()
        return b"\r\n".join([*lines, b"", body])


class _Connection(socketserver.BaseRequestHandler):
    """One connection: perhaps CONNECT, perhaps TLS, then one request."""

    server: Internet
    request: socket.socket

    def handle(self) -> None:
        self.request.settimeout(PATIENCE)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        method, target = _read_request(self.request)
        if method != "CONNECT":
            found = re.fullmatch(r"http://(?:[^/@]*@)?([^/]*?)(?::(\d+))?(/.*)?", target)
            if found is not None:
                self._respond(self.request, False, found[1], int(found[2] or 80), found[3] or "/")
            return
        self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        host, _, port = target.rpartition(":")
        if self.request.recv(1, socket.MSG_PEEK) == TLS_HANDSHAKE:
            try:
                with self.server.tls.wrap_socket(self.request, server_side=True) as secure:
                    self._respond(secure, True, host, int(port), _read_request(secure)[1])
            except ssl.SSLError:
                self.server.arrivals.append(Arrival(True, host.lower(), int(port), "", time.time()))
        else:
            self._respond(self.request, False, host, int(port), _read_request(self.request)[1])

    def _respond(self, connection: socket.socket, secure: bool, host: str, port: int, path: str) -> None:
        arrival = Arrival(secure, host.lower(), port, path, time.time())
        connection.sendall(self.server.answer(arrival))


def _read_request(connection: socket.socket) -> tuple[str, str]:
    """The method and target of one request, whose head is read to its end and whose body is not."""
    head = b""
    while b"\r\n\r\n" not in head:
        received = connection.recv(65536)
        if not received:
            raise ConnectionError("it ends within a request")
        head += received
    method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
    return method, target
