"""A frozen rendering and a recipient become a finished message, on bytes.

    rendering ─compile_campaign→ Composer      once a campaign: pieces encoded, headers folded
    recipient ─Composer.compose→ Message       values fitted in, headers written, signed

Nothing of the fixed text is scanned, encoded or canonicalised again for a recipient.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from mailer.campaign.model import CampaignKind
from mailer.campaign.track import click_url
from mailer.delivery.alternatives import Alternatives, compile_alternatives
from mailer.delivery.dialects import SMTP, Dialect, Dress, TokenHeader
from mailer.delivery.embedded import content_type, embed
from mailer.delivery.headers import (
    MAX_NAME,
    clean,
    fold,
    mailbox,
    opaque,
    phrase,
    relaxed,
    unfolded,
    unstructured,
)
from mailer.delivery.model import Message, Recipient
from mailer.delivery.personalise import Line
from mailer.delivery.sign import Seal, Signer
from mailer.delivery.values import RecipientValues, Sources
from mailer.errors import RenderingFailed, SettingsInvalid
from mailer.render.model import Rendering, SystemSlot
from mailer.render.track import tracked
from subscribers import address
from subscribers.address import Address
from subscribers.errors import AddressInvalid
from subscribers.model import Newsletter, Tracking
from subscribers.token import Keyring, Scope, make, make_verp

log = logging.getLogger(__name__)

#: The header that carries the delivery's token, for relays that replace the Message-ID.
TOKEN_HEADER = "X-Pressrun-Delivery"  # noqa: S105
#: The local part that `mailto:` unsubscribe requests go to; the token stands in their subject.
UNSUBSCRIBE_MAILBOX = "unsubscribe"
#: A subject is cut after so many characters.
MAX_SUBJECT = 500

# The headers that differ per recipient and are signed; the token's is for the relay.
_OWN = ("To", "Subject", "Date", "Message-ID", "List-Unsubscribe")
_ONE_CLICK = (("List-Unsubscribe-Post", b"List-Unsubscribe=One-Click"),)
# Nothing that HTML or a header would have to escape.
_URL = re.compile(r"https?://[A-Za-z0-9.:/_~%@\[\]-]+")
_NONCE = re.compile(r"[0-9a-z]{8,64}")

Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, kw_only=True)
class CampaignIdentity:
    """Which campaign a message belongs to; `links` are those that `tracking` counts, numbered."""

    id: int
    kind: CampaignKind
    edition: int = 0
    issue_number: int | None = None
    tracking: Tracking = Tracking.OFF
    links: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """How a campaign's copies are addressed.

    `domain` is the From address's, `inbound_domain` the one whose mail comes back here;
    `utf8` says that From or Reply-To need RFC 6532 headers. `is_list` False: a notice, which
    nobody can unsubscribe from. `verp`: the relay keeps a Return-Path of ours.
    """

    sender: str
    domain: str
    inbound_domain: str | None
    utf8: bool
    is_list: bool = True
    verp: bool = True


class Subject:
    """The subject line; folded and encoded once where it is the same for everybody."""

    def __init__(self, rendering: Rendering, *, default: str) -> None:
        """`default` stands in where the line comes out empty."""
        self._default = clean(default, MAX_SUBJECT)
        self._line = Line(
            rendering.subject, rendering.slots, rendering.conditions, nonce=rendering.nonce
        )
        same_for_all = self._line.same_for_all
        self._value = None if same_for_all is None else self._written(same_for_all)

    def fill(self, values: RecipientValues) -> bytes:
        """The header's value for one recipient."""
        if self._value is not None:
            return self._value
        return self._written(self._line.fill(values.in_header, values.truths))

    def _written(self, line: str) -> bytes:
        return unstructured(clean(line, MAX_SUBJECT) or self._default, "Subject")


class Composer:
    """Makes the messages of one campaign; safe to share between threads."""

    def __init__(
        self,
        *,
        newsletter: Newsletter,
        envelope: Envelope,
        sources: Sources,
        subject: Subject,
        body: Alternatives,
        fixed: Headers,
        token_header: TokenHeader | None,
        signer: Signer | None,
        unsigned: frozenset[str],
    ) -> None:
        """Use `compile_campaign`."""
        self.newsletter = newsletter
        self._envelope = envelope
        self._sources = sources
        self._subject = subject
        self._body = body
        self._fixed = _written(fixed)
        self._token_header = token_header
        self._canonical = {name.lower(): relaxed(name, value) for name, value in fixed}
        self._seal = _seal(signer, [name for name, _ in fixed], unsigned, is_list=envelope.is_list)

    def compose(self, recipient: Recipient, *, date: datetime) -> Message:
        """One recipient's message, dated `date` (aware).

        Raises AddressInvalid where no message can go to the recipient's address.
        """
        to = address.parse(recipient.address)
        values = self._sources.of(recipient)
        own = self._own_headers(recipient, to, values, date)
        body = self._body.fill(values)
        headers = b"".join((self._signatures(own, body), self._fixed, _written(own), b"\r\n"))
        return Message(
            delivery_id=recipient.delivery_id,
            envelope_from=self._envelope_from(recipient),
            envelope_to=to.envelope,
            content=headers + body,
            smtputf8=self._envelope.utf8 or to.needs_smtputf8,
            # Encoded bodies have no such line (see `encoding`).
            dot_free=b"\n." not in headers and b"\r." not in headers,
        )

    def _own_headers(
        self, recipient: Recipient, to: Address, values: RecipientValues, date: datetime
    ) -> Headers:
        token = make(self._sources.keyring, Scope.VERP, recipient.delivery_id)
        nonce = f".{opaque(recipient.nonce)}" if recipient.nonce else ""
        leaving = [("List-Unsubscribe", self._list_unsubscribe(values))]
        metadata = self._token_header
        return (
            ("To", mailbox("To", recipient.name, to.envelope)),
            ("Subject", self._subject.fill(values)),
            ("Date", _date(date)),
            ("Message-ID", f"<{token}{nonce}@{self._envelope.domain}>".encode("ascii")),
            *(leaving if self._envelope.is_list else ()),
            (TOKEN_HEADER, token.encode("ascii")),
            *([(metadata.name, metadata.value(token.encode("ascii")))] if metadata else ()),
        )

    def _list_unsubscribe(self, values: RecipientValues) -> bytes:
        """The https URL first, which RFC 8058 posts to; mail where it can come back."""
        url = values.page(SystemSlot.UNSUBSCRIBE_URL)
        if self._envelope.inbound_domain is None:
            return f"<{url}>".encode("ascii")
        token = url.rpartition("/")[2]
        mail = f"{UNSUBSCRIBE_MAILBOX}@{self._envelope.inbound_domain}?subject={token}"
        return f"<{url}>,\r\n <mailto:{mail}>".encode("ascii")

    def _envelope_from(self, recipient: Recipient) -> str:
        if self._envelope.inbound_domain is None or not self._envelope.verp:
            return self._envelope.sender
        local_part = make_verp(self._sources.keyring, recipient.delivery_id)
        return f"{local_part}@{self._envelope.inbound_domain}"

    def _signatures(self, own: Headers, body: bytes) -> bytes:
        if self._seal is None:
            return b""
        canonical = {**self._canonical, **{n.lower(): unfolded(n, value) for n, value in own}}
        return self._seal.sign(b"".join([canonical[name] for name in self._seal.signed]), body)


def compile_campaign(
    rendering: Rendering,
    newsletter: Newsletter,
    *,
    campaign: CampaignIdentity,
    keyring: Keyring,
    public_url: str,
    inbound_domain: str | None = None,
    dialect: Dialect = SMTP,
    dress: Dress | None = None,
    signer: Signer | None = None,
    images: Mapping[str, bytes | None] | None = None,
) -> Composer:
    """Compile a campaign; the Composer then makes one message after another.

    `dialect` is the relay's, `dress` its headers; a signer whose signature it would break does
    not sign. `images` holds those that the rendering embeds.
    Raises RenderingFailed, AddressInvalid (the newsletter's addresses), SettingsInvalid.
    """
    rendering = _counted(rendering, campaign, keyring, public_url)
    sender = address.parse(newsletter.from_address)
    reply_to = address.parse(newsletter.reply_to) if newsletter.reply_to else None
    boundary = _boundary(rendering)
    is_list = campaign.kind is not CampaignKind.NOTICE
    signer = signer if dialect.keeps_our_signature else None
    if signer is not None:
        _warn_unaligned(signer.domain, sender.domain)
    dress = dress or Dress()
    return Composer(
        newsletter=newsletter,
        envelope=Envelope(
            sender=sender.envelope,
            domain=sender.domain,
            inbound_domain=_inbound(inbound_domain),
            utf8=sender.needs_smtputf8 or (reply_to is not None and reply_to.needs_smtputf8),
            is_list=is_list,
            verp=dialect.keeps_return_path,
        ),
        sources=Sources(
            rendering,
            newsletter,
            issue_number=campaign.issue_number,
            keyring=keyring,
            public_url=_checked_url(public_url),
            campaign_id=campaign.id,
        ),
        subject=Subject(rendering, default=rendering.title or newsletter.name),
        body=embed(compile_alternatives(rendering, boundary), boundary, images or {})
        if rendering.embedded
        else compile_alternatives(rendering, boundary),
        fixed=[
            *_from_headers(newsletter, sender, reply_to),
            *_list_headers(newsletter, sender, campaign),
            # RFC 3834 section 5: no machine answers a notice.
            *(_ONE_CLICK if is_list else (("Auto-Submitted", b"auto-generated"),)),
            *dress.fixed,
            ("MIME-Version", b"1.0"),
            ("Content-Type", content_type(boundary, embeds=bool(rendering.embedded))),
        ],
        token_header=dress.token,
        signer=signer,
        unsigned=dialect.rewrites,
    )


def _counted(
    rendering: Rendering, campaign: CampaignIdentity, keyring: Keyring, public_url: str
) -> Rendering:
    """The rendering as it is mailed: its links are counted where the campaign says so."""
    if campaign.tracking is Tracking.OFF:
        return rendering
    anonymous = campaign.tracking is Tracking.ANONYMOUS
    base = click_url(public_url, keyring, campaign.id) if anonymous else None
    return tracked(rendering, campaign.links, base=base)


def _from_headers(newsletter: Newsletter, sender: Address, reply_to: Address | None) -> Headers:
    headers = [("From", mailbox("From", newsletter.from_name, sender.envelope))]
    if reply_to is not None:
        headers.append(("Reply-To", mailbox("Reply-To", "", reply_to.envelope)))
    return headers


def _list_headers(newsletter: Newsletter, sender: Address, campaign: CampaignIdentity) -> Headers:
    slug = opaque(newsletter.slug)
    list_id = f"<{slug}.{sender.domain}>".encode("ascii")
    # Feedback-ID is campaign:list:kind:sender, the last of 5 to 15 characters and lasting.
    sender_id = "pr" + hashlib.sha256(sender.domain.encode("ascii")).hexdigest()[:10]
    feedback_id = f"{campaign.id}:{slug}:{campaign.kind}:{sender_id}"
    return (
        ("List-Id", fold("List-Id", [*phrase(clean(newsletter.name, MAX_NAME)), list_id])),
        ("Feedback-ID", feedback_id.encode("ascii")),
    )


def _boundary(rendering: Rendering) -> str:
    if not _NONCE.fullmatch(rendering.nonce):
        raise RenderingFailed("this rendering is damaged: its nonce; render the issue again")
    return f"=_{rendering.nonce}"


def _checked_url(public_url: str) -> str:
    if not _URL.fullmatch(public_url):
        remedy = "write it like https://news.example.org, other scripts as xn--…"
        raise SettingsInvalid(f"public_url: {public_url!r} can't stand in a mail; {remedy}")
    return public_url


def _inbound(domain: str | None) -> str | None:
    try:
        return address.parse(f"{UNSUBSCRIBE_MAILBOX}@{domain}").domain if domain else None
    except AddressInvalid as exc:
        raise SettingsInvalid(f"inbound_domain: {exc}") from exc


def _seal(
    signer: Signer | None, fixed: Sequence[str], unsigned: frozenset[str], *, is_list: bool
) -> Seal | None:
    if signer is None:
        return None
    own = [name for name in _OWN if is_list or name != "List-Unsubscribe"]
    return signer.seal([*fixed, *own], unsigned=unsigned)


def _warn_unaligned(signing: str, sending: str) -> None:
    # RFC 9989, relaxed: one domain must lie within the other, or DMARC finds no alignment.
    if not (f".{sending}".endswith(f".{signing}") or f".{signing}".endswith(f".{sending}")):
        log.warning("dkim.domain %s is not the From domain %s: DMARC fails", signing, sending)


def _written(headers: Headers) -> bytes:
    return b"".join([b"%b: %b\r\n" % (name.encode("ascii"), value) for name, value in headers])


@lru_cache(maxsize=8)
def _date(date: datetime) -> bytes:
    return format_datetime(date.astimezone(UTC)).encode("ascii")
