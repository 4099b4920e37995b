"""DNS in a room: one address for every name, and an answer to whatever may come."""

from __future__ import annotations

import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstssim.lab.names import ADDRESS, Lookup, answer


@pytest.mark.parametrize(
    "name", ["github.com", "xn--bcher-kva.example", "a.b.c.d.e.f", "_dmarc.example.com", "COM"]
)
def test_every_name_has_the_one_address(name: str) -> None:
    reply, lookup = answer(dns.message.make_query(name, "A").to_wire())
    message = dns.message.from_wire(reply)
    assert [item.to_text() for entry in message.answer for item in entry] == [ADDRESS]
    assert lookup == Lookup(name, "A")


@pytest.mark.parametrize("kind", ["AAAA", "HTTPS", "MX", "PTR", "TXT"])
def test_a_name_has_nothing_else_and_yet_is_there(kind: str) -> None:
    reply, lookup = answer(dns.message.make_query("github.com", kind).to_wire())
    message = dns.message.from_wire(reply)
    assert (message.rcode(), message.answer) == (dns.rcode.NOERROR, [])
    assert lookup == Lookup("github.com", kind)


def test_what_is_no_question_is_not_answered() -> None:
    response = dns.message.make_response(dns.message.make_query("github.com", "A"))
    assert answer(response.to_wire()) == (b"", None)


def test_two_questions_at_once_are_a_fault() -> None:
    query = dns.message.make_query("github.com", "A")
    query.question.append(dns.message.make_query("example.com", "A").question[0])
    reply, lookup = answer(query.to_wire())
    assert (dns.message.from_wire(reply).rcode(), lookup) == (dns.rcode.FORMERR, None)


@given(st.binary(max_size=600))
def test_any_bytes_are_answered_or_not(question: bytes) -> None:
    reply, _ = answer(question)
    if reply:
        assert reply[:2] == question[:2]
