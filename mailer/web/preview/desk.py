"""An issue as it lies on the author's desk: read anew after each save, the last good one kept.

What is shown is cut out of the finished message that the composer makes for a reader, so that the
preview can't be better than what is sent.
"""

from __future__ import annotations

import email
import email.policy
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import lru_cache
from pathlib import Path

from mailer.campaign.freeze import Frozen, freeze, look_of
from mailer.campaign.model import CampaignKind
from mailer.delivery.compose import CampaignIdentity, Composer, compile_campaign
from mailer.delivery.values import Sources
from mailer.errors import IssueInvalid
from mailer.issue.model import Problem
from mailer.issue.parse import examine, read
from mailer.issue.problems import IssueHasProblems
from mailer.lint.lint import lint
from mailer.render import images
from mailer.render.images import LocalImage
from mailer.render.model import Rendering
from mailer.web.preview.readers import Readership
from mailer.web.preview.watch import theme_files, version_of
from subscribers.errors import PressrunError
from subscribers.model import Newsletter
from subscribers.token import Keyring


@dataclass(frozen=True, kw_only=True)
class Draft:
    """An issue as it is on disk in one theme.

    `frozen` is the last rendering that came out well; `error` says why there is no newer one.
    """

    version: str
    theme: str
    source: str = ""
    frozen: Frozen | None = None
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Copy:
    """One reader's copy, taken from the message that would go out."""

    subject: str
    html: str
    text: str
    message: str


@dataclass(kw_only=True)
class Desk:
    """One issue file and the newsletter it is for; may be asked from several threads.

    `public_url` and `inbound_domain` are the installation's: links in the message show them, but
    lead nowhere, for their tokens are signed with keys of no use.
    """

    file: Path
    newsletter: Newsletter
    public_url: str
    inbound_domain: str | None = None
    readership: Readership
    keyring: Keyring = field(default_factory=Keyring.generate)
    _drafts: dict[str, Draft] = field(default_factory=dict)
    _beside: tuple[Path, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _judging: threading.Lock = field(default_factory=threading.Lock)
    _judged: tuple[tuple[str, str], tuple[Problem, ...]] | None = None

    @property
    def version(self) -> str:
        """A word that changes when the issue, an image of it or a theme is saved."""
        return version_of(self._files())

    def _files(self) -> Iterator[Path]:
        yield self.file
        yield from self._beside
        yield from theme_files()

    def draft(self, theme: str = "") -> Draft:
        """The issue as it is now, in this theme or the newsletter's."""
        theme = theme or self.newsletter.theme
        with self._lock:
            kept = self._drafts.get(theme)
            version = self.version
            if kept is None or kept.version != version:
                kept = self._read(theme, version, kept.frozen if kept else None)
                self._drafts[theme] = kept
            return kept

    def _read(self, theme: str, version: str, last: Frozen | None) -> Draft:
        draft = Draft(version=version, theme=theme, frozen=last)
        try:
            source = read(self.file)
        except IssueInvalid as exc:
            return replace(draft, error=str(exc))
        issue, _ = examine(str(self.file), source)
        if issue is not None:
            self._beside = tuple(images.files(issue))
        draft = replace(draft, source=source)
        newsletter = replace(self.newsletter, theme=theme)
        try:
            frozen = freeze(self.file, newsletter, public_url=self.public_url)
        except IssueHasProblems:
            return replace(draft, error="The issue has errors; the list names their lines.")
        except PressrunError as exc:
            return replace(draft, error=str(exc))
        return replace(draft, frozen=frozen)

    def problems(self, draft: Draft) -> tuple[Problem, ...]:
        """What is wrong or doubtful; it takes longer than the page, which does not wait for it."""
        with self._judging:
            if self._judged is None or self._judged[0] != (draft.version, draft.theme):
                look = look_of(self.newsletter)
                found = lint(str(self.file), draft.source, look=look, theme=draft.theme)
                self._judged = (draft.version, draft.theme), found.problems
            return self._judged[1]

    def copy(self, draft: Draft, reader: str, flipped: Mapping[str, bool]) -> Copy | None:
        """The copy of one reader; `flipped` decides conditions by their words. None without a
        rendering. Raises RenderingFailed, AddressInvalid or SettingsInvalid as sending would.
        """
        if draft.frozen is None:
            return None
        rendering = decided(draft.frozen.rendering, flipped)
        composer = self._composer(rendering, draft.frozen)
        # The conditions asked are those of the issue: a sample's attributes are named in them.
        recipient = self.readership.recipient(reader, draft.frozen.rendering)
        return _copy_of(composer.compose(recipient, date=datetime.now(UTC)).content)

    def conditions(self, draft: Draft, reader: str) -> Mapping[str, bool]:
        """Each condition of the issue in the author's words, and whether it holds for a reader."""
        if draft.frozen is None:
            return {}
        rendering = draft.frozen.rendering
        values = Sources(
            rendering,
            self.newsletter,
            issue_number=draft.frozen.issue.front.number,
            keyring=self.keyring,
            public_url=self.public_url,
        ).of(self.readership.recipient(reader, rendering))
        sources = [condition.source for condition in rendering.conditions]
        return dict(zip(sources, values.truths, strict=True))

    def image(self, name: str) -> LocalImage | None:
        """An image beside the issue, by the name it is published under."""
        frozen = [draft.frozen for draft in self._drafts.copy().values() if draft.frozen]
        every = (image for each in frozen for image in each.images)
        return next((image for image in every if image.name == name), None)

    def _composer(self, rendering: Rendering, frozen: Frozen) -> Composer:
        return compile_campaign(
            rendering,
            self.newsletter,
            campaign=CampaignIdentity(
                id=1, kind=CampaignKind.TEST, issue_number=frozen.issue.front.number
            ),
            keyring=self.keyring,
            public_url=self.public_url,
            inbound_domain=self.inbound_domain,
            images={image.name: image.content for image in frozen.images},
        )


def decided(rendering: Rendering, flipped: Mapping[str, bool]) -> Rendering:
    """The rendering with these conditions decided, whoever reads it."""
    conditions = tuple(
        replace(each, source=str(flipped[each.source]).lower()) if each.source in flipped else each
        for each in rendering.conditions
    )
    return replace(rendering, conditions=conditions, checksum="")


@lru_cache(maxsize=4)
def _copy_of(content: bytes) -> Copy:
    message = email.message_from_bytes(content, policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    assert html is not None
    assert text is not None
    return Copy(
        subject=str(message["Subject"]),
        html=html.get_content(),
        text=text.get_content(),
        message=content.decode("utf-8", "replace").replace("\r\n", "\n"),
    )
