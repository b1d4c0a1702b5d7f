"""Relays of mail services, as far as they differ: their 250, what they do to a message, what
they report of it.

    with ProviderRelay("ses", signs_with=key) as relay:
        ...mail comes to 127.0.0.1, relay.port...
        [sent] = relay.sent()
        sent.content        # what arrives at its recipient
        sent.report()       # the service's webhook about it

What a report says of a message the service has from the message alone: nothing is looked up in
what the test knows.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.generator import BytesGenerator
from email.message import EmailMessage
from email.policy import SMTP
from io import BytesIO
from types import TracebackType

import dkim

from tests.services.scripted_smtp import Script, ScriptedServer, Taken

Json = dict[str, object]
#: The date that services put in the place of ours.
DATE = "Tue, 01 Dec 2026 09:00:07 +0000"


@dataclass(frozen=True, kw_only=True)
class Key:
    """What a service signs with: `selector` of `domain`, and a private key as PEM."""

    domain: str
    selector: str
    pem: bytes

    def sign(self, content: bytes) -> bytes:
        """The message with one more signature on top."""
        names = (b"from", b"to", b"subject", b"list-unsubscribe", b"list-unsubscribe-post")
        signature: bytes = dkim.sign(
            content,
            self.selector.encode(),
            self.domain.encode(),
            self.pem,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=[*names],
        )
        return signature + content


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A message on its way from the service to its recipient.

    `id` is the service's own, `known_as` what its 250 said.
    """

    service: Service
    id: str
    known_as: str | None
    recipient: str
    came: EmailMessage
    envelope_from: str
    content: bytes

    def report(self, *, metadata: bool = True) -> bytes:
        """A bounce of it as the service reports it; without what was in its metadata header."""
        return json.dumps(self.service.report(self, metadata)).encode()


@dataclass(frozen=True, kw_only=True)
class Service:
    """How one service behaves; `ok` is its 250, with a place for the id.

    Without an id of its own it goes by our Message-ID. `replaces` are headers that get another
    value, `drops` beginnings of headers that are for the service alone. `rebuilds`: it takes the
    message apart and puts it together anew.
    """

    id: Callable[[int], str]
    ok: str
    report: Callable[[Sent, bool], Json]
    replaces: Mapping[str, str]
    drops: tuple[str, ...]
    rebuilds: bool


def _json(sent: Sent, header: str, *path: str) -> Json:
    told: Json = json.loads(str(sent.came[header]))
    for name in path:
        inner = told[name]
        assert isinstance(inner, dict)
        told = inner
    return told


def _ses(sent: Sent, metadata: bool) -> Json:
    pairs = [tag.split("=") for tag in str(sent.came["X-SES-MESSAGE-TAGS"]).split(", ")]
    mail: Json = {"messageId": sent.id, "destination": [sent.recipient]}
    if metadata:
        mail["tags"] = {name: [value] for name, value in pairs}
    bounced = {"emailAddress": sent.recipient, "status": "5.1.1", "diagnosticCode": "550 5.1.1"}
    bounce = {"bounceType": "Permanent", "bounceSubType": "NoEmail", "bouncedRecipients": [bounced]}
    message = {"eventType": "Bounce", "mail": mail, "bounce": bounce}
    return {"Type": "Notification", "MessageId": sent.id, "Message": json.dumps(message)}


def _postmark(sent: Sent, metadata: bool) -> Json:
    start = "x-pm-metadata-"
    keys = {n.lower().removeprefix(start): v for n, v in sent.came.items() if start in n.lower()}
    return {
        "RecordType": "Bounce",
        "Type": "HardBounce",
        "ID": f"b{sent.id}",
        "MessageID": sent.id,
        "Email": sent.recipient,
        "Metadata": keys if metadata else {},
    }


def _sendgrid(sent: Sent, metadata: bool) -> Json:
    unique = _json(sent, "X-SMTPAPI", "unique_args") if metadata else {}
    return {
        "event": "bounce",
        "type": "bounce",
        "email": sent.recipient,
        "reason": "550 5.1.1 no such user",
        "sg_event_id": f"e{sent.id}",
        "sg_message_id": f"{sent.id}.filter0001.16648.5515E0B88.0",
        **unique,
    }


def _mailgun(sent: Sent, metadata: bool) -> Json:
    data: Json = {
        "id": f"e{sent.recipient}",
        "event": "failed",
        "severity": "permanent",
        "recipient": sent.recipient,
        "message": {"headers": {"message-id": str(sent.came["Message-ID"]).strip("<>")}},
        "user-variables": _json(sent, "X-Mailgun-Variables") if metadata else {},
        "delivery-status": {"code": 550, "message": "5.1.1 no such user"},
    }
    return {"event-data": data}


def _sparkpost(sent: Sent, metadata: bool) -> Json:
    event: Json = {
        "type": "bounce",
        "bounce_class": "10",
        "event_id": f"e{sent.id}",
        "message_id": "0004e3724f57753a3861",
        "rcpt_to": sent.recipient,
        "rcpt_meta": _json(sent, "X-MSYS-API", "metadata") if metadata else {},
    }
    return {"msys": {"message_event": event}}


def _brevo(sent: Sent, metadata: bool) -> Json:
    told: Json = {
        "event": "hard_bounce",
        "email": sent.recipient,
        "message-id": str(sent.came["Message-ID"]),
        "reason": "550 5.1.1 no such user",
    }
    return told | ({"X-Mailin-custom": str(sent.came["X-Mailin-custom"])} if metadata else {})


def _mailjet(sent: Sent, metadata: bool) -> Json:
    return {
        "event": "bounce",
        "MessageID": 13792286917004336,
        "Message_GUID": sent.id,
        "email": sent.recipient,
        "hard_bounce": True,
        "error": "user unknown",
        "Payload": str(sent.came["X-MJ-EventPayload"]) if metadata else "",
    }


def _resend(sent: Sent, metadata: bool) -> Json:
    kept = [{"name": n, "value": str(v)} for n, v in sent.came.items() if n.startswith("X-")]
    data: Json = {"email_id": sent.id, "to": [sent.recipient], "bounce": {"type": "Permanent"}}
    return {"type": "email.bounced", "data": data | ({"headers": kept} if metadata else {})}


def _generic(sent: Sent, metadata: bool) -> Json:
    named: Json = {"delivery": str(sent.came["X-Pressrun-Delivery"])} if metadata else {}
    return {
        "type": "bounced",
        "hard": True,
        "id": sent.id,
        "at": "2026-12-01T09:00:00Z",
        "provider_id": sent.id,
        "recipient": sent.recipient,
        **named,
    }


def _uuid(number: int) -> str:
    return f"0a129aee-e1cd-480d-b08d-{number:012x}"


_FEEDBACK_ID = "1.eu-central-1.a:AmazonSES"
SERVICES: Mapping[str, Service] = {
    "smtp": Service(
        id=lambda n: f"4bX9Kq0Zt{n}",
        ok="2.0.0 Ok: queued as {}",
        report=_generic,
        replaces={},
        drops=(),
        rebuilds=False,
    ),
    "ses": Service(
        id=lambda n: f"0102018d1a2b3c4d-{n:08x}-1234-4abc-9def-0123456789ab-000000",
        ok="Ok {}",
        report=_ses,
        replaces={
            "Message-ID": "<{id}@eu-central-1.amazonses.com>",
            "Date": DATE,
            "Feedback-ID": _FEEDBACK_ID,
        },
        drops=("x-ses-",),
        rebuilds=False,
    ),
    "postmark": Service(
        id=_uuid,
        ok="Ok: queued as {}",
        report=_postmark,
        replaces={},
        drops=("x-pm-",),
        rebuilds=True,
    ),
    "sendgrid": Service(
        id=lambda n: f"kQxv3Zk3R2yQ_1a2b{n}",
        ok="Ok: queued as {}",
        report=_sendgrid,
        replaces={},
        drops=("x-smtpapi",),
        rebuilds=True,
    ),
    "mailgun": Service(
        id=lambda n: "",
        ok="Great success",
        report=_mailgun,
        replaces={},
        drops=(),
        rebuilds=True,
    ),
    "sparkpost": Service(
        id=lambda n: f"3F/A1-01234-ABCDEF5{n}",
        ok="2.0.0 OK {}",
        report=_sparkpost,
        replaces={},
        drops=("x-msys-",),
        rebuilds=True,
    ),
    "brevo": Service(
        id=lambda n: "",
        ok="2.0.0 OK: queued as {}",
        report=_brevo,
        replaces={"Feedback-ID": "185.41.28.1:42_-1:42:Sendinblue"},
        drops=(),
        rebuilds=True,
    ),
    "mailjet": Service(
        id=_uuid,
        ok="OK queued as {}",
        report=_mailjet,
        replaces={"Message-ID": "<{id}@mailjet.com>", "Feedback-ID": "42.1.1:MJ"},
        drops=("x-mj-", "x-mailjet-"),
        rebuilds=True,
    ),
    "resend": Service(
        id=_uuid,
        ok="OK {}",
        report=_resend,
        replaces={
            "Message-ID": "<{id}@eu-west-1.amazonses.com>",
            "Date": DATE,
            "Feedback-ID": _FEEDBACK_ID,
        },
        drops=(),
        rebuilds=True,
    ),
}


class ProviderRelay(ScriptedServer):
    """The relay of a service, in a thread of its own; `signs_with` is its key for our domain."""

    def __init__(self, name: str, *scripts: Script, signs_with: Key) -> None:
        super().__init__(*scripts)
        self.service, self._key = SERVICES[name], signs_with
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay")

    def __enter__(self) -> ProviderRelay:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.__aenter__(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self.__aexit__(kind, exc, tb), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def ok(self, content: bytes) -> bytes:
        """The service's own words, with its own id; Brevo's is our Message-ID."""
        said = self.service.ok.format(_known_as(self.service, len(self.taken) + 1, content))
        return f"250 {said}\r\n".encode()

    def sent(self) -> list[Sent]:
        """What was taken, as it goes on to its recipients."""
        return [self._passed_on(number, taken) for number, taken in enumerate(self.taken, 1)]

    def _passed_on(self, number: int, taken: Taken) -> Sent:
        own = self.service.id(number)
        content = _rewritten(self.service, taken.content, own)
        told = _known_as(self.service, number, taken.content).strip("<>")
        if self.service.drops or self.service.rebuilds:
            content = self._key.sign(content)
        return Sent(
            service=self.service,
            id=own,
            known_as=told if "{}" in self.service.ok else None,
            recipient=_path(taken.rcpt[0]),
            came=_read(taken.content),
            envelope_from=_path(taken.mail),
            content=content,
        )


def _known_as(service: Service, number: int, content: bytes) -> str:
    return service.id(number) or str(_read(content)["Message-ID"])


def _path(line: bytes) -> str:
    return line.partition(b"<")[2].partition(b">")[0].decode()


def _read(content: bytes) -> EmailMessage:
    read = message_from_bytes(content, policy=SMTP)
    assert isinstance(read, EmailMessage)
    return read


def _rewritten(service: Service, content: bytes, known_as: str) -> bytes:
    """What a service makes of a message: other values, fewer headers, another encoding."""
    head, _, body = content.partition(b"\r\n\r\n")
    lines = re.split(rb"\r\n(?![ \t])", head)
    kept = [line for line in lines if not line.lower().startswith(_bytes(service.drops))]
    for name, value in service.replaces.items():
        told = f"{name}: {value.replace('{id}', known_as)}".encode()
        kept = [line for line in kept if not line.lower().startswith(name.lower().encode() + b":")]
        kept.append(told)
    changed = b"\r\n".join(kept) + b"\r\n\r\n" + body
    return _rebuilt(changed) if service.rebuilds else changed


def _bytes(names: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(name.encode() for name in names)


def _rebuilt(content: bytes) -> bytes:
    """The same message, each part in base64 of other lines."""
    mail = _read(content)
    for part in mail.walk():
        if part.get_content_maintype() == "text":
            text = part.get_content()
            part.set_content(text, subtype=part.get_content_subtype(), cte="base64")
    out = BytesIO()
    BytesGenerator(out, policy=SMTP).flatten(mail)
    return out.getvalue()
