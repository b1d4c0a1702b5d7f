"""What is in a message can't be taken for anything else: bodies, addresses, what is offered."""

from __future__ import annotations

import asyncio

import pytest

from mailer.delivery.model import Message, Verdict
from mailer.delivery.smtp import Handed
from subscribers.reason import Reason
from tests.integration.delivery.wire import message, opened, sent
from tests.services.scripted_smtp import ScriptedServer

SENT, FAILED = Verdict.SENT, Verdict.FAILED

SMUGGLED = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CRLF.LF": b"\r\n.\n",
    "CR.CR": b"\r.\r",
    "CR.LF": b"\r.\n",
    "CR.CRLF": b"\r.\r\n",
    "LF.CR": b"\n.\r",
    "CRLF.CR": b"\r\n.\r",
    "CRLF.CRLF": b"\r\n.\r\n",
}
EVIL = b"MAIL FROM:<ceo@bank.test>\r\nRCPT TO:<victim@x.test>\r\nDATA\r\nPay!\r\n.\r\n"


@pytest.mark.parametrize("lax", [False, True], ids=["strict", "lax"])
@pytest.mark.parametrize("end", SMUGGLED.values(), ids=SMUGGLED)
def test_a_body_can_t_smuggle_a_second_message(end: bytes, lax: bool) -> None:
    server = ScriptedServer(lax=lax)
    handed = asyncio.run(sent(server, body=b"Hello" + end + EVIL))
    assert handed.verdict is SENT
    assert len(server.taken) == 1
    assert not any(b"bank" in line for line in server.lines[0])


@pytest.mark.parametrize(
    "end", [b"no line end", b".\r\n", b"\r\n..\r\n.", b""], ids=["none", "dot", "dots", "empty"]
)
def test_dots_come_out_as_they_went_in(end: bytes) -> None:
    server = ScriptedServer()
    handed = asyncio.run(sent(server, body=b".one\r\n..two\r\n" + end))
    assert handed.verdict is SENT
    unstuffed = (server.taken[0].content + b"\r\n").replace(b"\r\n.", b"\r\n")
    expected = b"Subject: 1\r\n\r\n.one\r\n..two\r\n" + end
    assert unstuffed == (expected if expected.endswith(b"\r\n") else expected + b"\r\n")


ATTACKS = {
    "CRLF": "a@x.test>\r\nRCPT TO:<b@x.test",
    "LF": "a\n@x.test",
    "CR": "a\r@x.test",
    "NUL": "a\0@x.test",
    "AUTH parameter": "a@x.test> AUTH=<root@x.test",
    "blank": "a b@x.test",
    "next line": "a\x85@x.test",
    "line separator": "a\u2028@x.test",
    "surrogate": "a\udc80@x.test",
    "backslash": "a@x.test\\",
    "quoted": '"a b"@x.test',
    "no at": "root",
    "empty": "",
    "endless": "a" * 300 + "@x.test",
}


@pytest.mark.parametrize(
    ("field", "address"),
    [
        pytest.param(field, address, id=f"{field}-{name}")
        for field in ("envelope_to", "envelope_from")
        for name, address in ATTACKS.items()
        # The empty sender is legal: bounces have it.
        if (field, address) != ("envelope_from", "")
    ],
)
def test_an_address_can_t_say_anything_else(field: str, address: str) -> None:
    server = ScriptedServer()
    envelope = {"envelope_from": "me@news.test", "envelope_to": "you@x.test", field: address}

    async def attempt() -> tuple[Handed, Handed]:
        async with server:
            connection = await opened(server)
            evil = Message(delivery_id=1, content=b"Subject: x\r\n\r\n", **envelope)
            return await connection.send(evil), await connection.send(message(2))

    evil, next_one = asyncio.run(attempt())
    assert evil.verdict is FAILED
    assert evil.reason in (Reason.BAD_ADDRESS, Reason.PROTOCOL)
    assert evil.hard is False
    assert evil.text
    assert next_one.verdict is SENT
    assert [line.split()[0] for line in server.lines[0]] == [b"EHLO", b"MAIL", b"RCPT", b"DATA"]


def test_what_the_relay_can_t_take_is_refused_before_a_byte() -> None:
    server = ScriptedServer(extensions=(b"SIZE 100",))
    big = message(body=b"x" * 200 + b"\r\n")
    utf8 = Message(
        delivery_id=1,
        envelope_from="me@news.test",
        envelope_to="用户@例子.test",
        content=b"Subject: x\r\n\r\n",
        smtputf8=True,
    )
    bits = message(body="ü\r\n".encode())

    async def attempt() -> list[Handed]:
        async with server:
            connection = await opened(server)
            return [await connection.send(one) for one in (big, utf8, bits)]

    ends = asyncio.run(attempt())
    assert [end.verdict for end in ends] == [FAILED] * 3
    assert [end.reason for end in ends] == [
        Reason.TOO_BIG,
        Reason.BAD_ADDRESS,
        Reason.PROTOCOL,
    ]
    assert "SMTPUTF8" in ends[1].text
    assert all(end.reusable for end in ends)
    assert [line.split()[0] for line in server.lines[0]] == [b"EHLO"]


def test_smtputf8_is_asked_for_where_it_is_offered() -> None:
    server = ScriptedServer(extensions=(b"SMTPUTF8", b"8BITMIME", b"SIZE"))
    utf8 = Message(
        delivery_id=1,
        envelope_from="",
        envelope_to="用户@例子.test",
        content="Subject: ü\r\n\r\n".encode(),
        smtputf8=True,
    )

    async def attempt() -> Handed:
        async with server:
            return await (await opened(server)).send(utf8)

    assert asyncio.run(attempt()).verdict is SENT
    size = len(utf8.content)
    assert server.taken[0].mail == f"MAIL FROM:<> SIZE={size} BODY=8BITMIME SMTPUTF8".encode()
    assert server.taken[0].rcpt == ["RCPT TO:<用户@例子.test>".encode()]
