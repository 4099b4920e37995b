"""Each kind of certificate, as a real TLS client judges it."""

from __future__ import annotations

import os
import re
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from hstssim.errors import LabError
from hstssim.lab import KINDS, Lab

if TYPE_CHECKING:
    from tests.lab.conftest import Dial, Get

# The kind, and what OpenSSL says of it for its own name: X509_V_ERR_… (openssl/x509_vfy.h).
VERDICTS = {
    "valid": None,
    "wildcard": None,
    "expired": 10,
    "not-yet-valid": 9,
    "wrong-name": 62,
    "ip-address": 62,
    "self-signed": 18,
    "unknown-issuer": 20,
}


def test_every_kind_has_a_verdict() -> None:
    assert set(VERDICTS) == set(KINDS)


@pytest.mark.parametrize(("kind", "code"), VERDICTS.items(), ids=VERDICTS)
def test_a_client_sees_the_fault_of_each_kind(lab: Lab, dial: Dial, kind: str, code: int | None) -> None:
    lab.site("shop.test", certificate=kind)
    if code is None:
        dial("shop.test")
        return
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        dial("shop.test")
    assert caught.value.verify_code == code
    [failure] = lab.log.handshake_failures
    assert (failure.sni, failure.certificate) == ("shop.test", kind)
    assert "ALERT" in failure.reason
    assert lab.requests == []


WILDCARD_NAMES = {"shop.test": True, "cart.shop.test": True, "a.cart.shop.test": False}


@pytest.mark.parametrize(("name", "good"), WILDCARD_NAMES.items(), ids=WILDCARD_NAMES)
def test_a_wildcard_covers_one_label(lab: Lab, dial: Dial, name: str, good: bool) -> None:
    lab.site("shop.test", certificate="wildcard")
    if good:
        dial(name)
    else:
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            dial(name)


@pytest.mark.parametrize("name", ["127.0.0.1", "192.0.2.7", "xn--bcher-kva.test", "a_b.test", "shop.test"])
def test_a_site_of_any_name_has_a_valid_certificate(lab: Lab, dial: Dial, name: str) -> None:
    lab.site(name)
    if name == "192.0.2.7":  # no name is sent for an address (RFC 6066 §3): the tunnel says which
        sock = dial(port=lab.http_port)
        sock.sendall(b"CONNECT 192.0.2.7:443 HTTP/1.1\r\nHost: 192.0.2.7:443\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
        with lab.ssl_context().wrap_socket(sock, server_hostname=name) as secure:
            assert secure.version()
    else:
        dial(name)


def test_the_certificate_of_a_site_may_go_bad(lab: Lab, dial: Dial, get: Get) -> None:
    shop = lab.site("shop.test")
    assert get("https://shop.test/").status == 200
    shop.certificate = "expired"
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        dial("shop.test")
    assert [request.certificate for request in shop.requests] == ["valid"]


def test_no_handshake_is_shortened_by_an_earlier_one(lab: Lab, dial: Dial) -> None:
    lab.site("shop.test")
    context = lab.ssl_context()
    first = dial("shop.test", context=context)
    assert isinstance(first, ssl.SSLSocket)
    first.sendall(b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    assert first.recv(65536)
    assert first.session is None or not first.session.has_ticket


def test_a_client_that_does_not_verify_is_served_and_the_log_tells(lab: Lab, dial: Dial) -> None:
    lab.site("shop.test", certificate="self-signed")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    sock = dial("shop.test", context=context)
    sock.sendall(b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    assert sock.recv(1000).startswith(b"HTTP/1.1 200")
    [request] = lab.requests
    assert (request.certificate, request.plaintext) == ("self-signed", False)


def test_an_unknown_kind_is_refused_with_those_that_there_are(lab: Lab) -> None:
    with pytest.raises(LabError, match=re.escape("valid, expired") + ".*seen 'revoked'"):
        lab.site("shop.test", certificate="revoked")
    shop = lab.site("shop.test")
    with pytest.raises(LabError):
        shop.certificate = "revoked"
    assert shop.certificate == "valid"


def test_a_certificate_lasts_around_now_and_chains_by_key(lab: Lab) -> None:
    leaf = lab.authority.issue("shop.test")
    now = datetime.now(UTC)
    assert leaf.not_valid_before_utc < now - timedelta(hours=23)
    assert leaf.not_valid_after_utc > now + timedelta(days=80)
    leaf.verify_directly_issued_by(lab.authority.certificate)
    issuer = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    authority = lab.authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert issuer == authority.key_identifier


def test_a_strict_client_takes_it(lab: Lab, dial: Dial) -> None:
    lab.site("shop.test")
    context = lab.ssl_context()
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    dial("shop.test", context=context)


def test_every_lab_has_an_authority_of_its_own(lab: Lab, dial: Dial) -> None:
    lab.site("shop.test")
    with Lab() as other, pytest.raises(ssl.SSLCertVerificationError):
        dial("shop.test", context=other.ssl_context())


def test_nobody_else_can_read_the_keys(lab: Lab) -> None:
    directory = os.path.dirname(lab.ca_file)
    assert os.stat(directory).st_mode & 0o077 == 0
    with open(lab.ca_file, encoding="ascii") as file:
        assert "PRIVATE" not in file.read()
