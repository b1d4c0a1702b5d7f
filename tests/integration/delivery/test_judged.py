"""The sample issues as mail, judged by programs that share no code with the composer."""

from __future__ import annotations

import re
from email.message import EmailMessage
from pathlib import Path

import dkim
import pytest

from mailer.delivery.model import Message, Recipient
from mailer.delivery.sign import Signer
from mailer.issue.parse import parse
from mailer.render.model import NewsletterLook, Rendering
from mailer.render.preview import fill
from mailer.render.render import render
from tests.integration.delivery.conftest import Published
from tests.unit.delivery.letters import (
    DATE,
    NEWSLETTER,
    PUBLIC,
    alternative,
    assert_fit_for_the_wire,
    composer,
    fields_of,
    pages_of,
    parsed,
)

SAMPLES = Path(__file__).parents[3] / "templates" / "sample"
LOOK = NewsletterLook(
    name=NEWSLETTER.name,
    from_name=NEWSLETTER.from_name,
    postal_address=NEWSLETTER.postal_address,
    url=NEWSLETTER.url,
)
NAMES = (
    "",
    "Ada",
    "Zoë O'Neil",
    "李明",
    "مريم",
    "Ольга  Иванова",
    "👩‍🔬",
    "a=b. ",
    "<b>",
    "{{ 7*7 }}",
)
COPIES = 120


@pytest.fixture(scope="module", params=["issue.md", "issue.zh.md"])
def sample(request: pytest.FixtureRequest) -> Rendering:
    path = SAMPLES / request.param
    return render(parse(str(path), path.read_text(encoding="utf-8")), LOOK)


def recipient(number: int) -> Recipient:
    name = NAMES[number % len(NAMES)]
    return Recipient(
        delivery_id=number,
        subscriber_id=number,
        address=f"canary{number}x@example.net",
        name=f"{name} canary{number}x" if name else "",
        attributes={"plan": ("pro", "free")[number % 2]},
    )


def test_every_copy_carries_two_signatures_that_verify(
    sample: Rendering, published: Published
) -> None:
    made = composer(sample, signer=Signer.load(published.settings), inbound_domain="in.example.org")
    for number in range(1, COPIES + 1):
        message = made.compose(recipient(number), date=DATE)
        assert_fit_for_the_wire(message)
        judge = dkim.DKIM(message.content)
        assert judge.verify(idx=0, dnsfunc=published.look_up), number
        assert judge.verify(idx=1, dnsfunc=published.look_up), number


def test_every_copy_reads_as_if_rendered_for_its_recipient(sample: Rendering) -> None:
    made = composer(sample)
    for number in range(1, len(NAMES) * 2 + 1):
        person = recipient(number)
        mail = parsed(made.compose(person, date=DATE))
        filled = fill(sample, fields_of(person), pages_of(person))
        assert alternative(mail, "html").rstrip("\n") == filled.html.rstrip("\n")
        assert alternative(mail, "plain").rstrip("\n") == filled.text.rstrip("\n")
        assert mail["Subject"] == filled.subject


def canaries(message: Message, mail: EmailMessage) -> set[str]:
    """All that names anybody: in envelope, headers and decoded bodies."""
    everything = [message.envelope_to, message.envelope_from]
    everything += [f"{value}" for value in mail.values()]
    everything += [alternative(mail, "plain"), alternative(mail, "html")]
    return set(re.findall(r"canary\d+x", " ".join(everything)))


def test_nobody_gets_what_is_anothers(sample: Rendering) -> None:
    """One composer for all: values and tokens of one recipient are never in another's copy."""
    made = composer(sample, inbound_domain="in.example.org")
    owner: dict[str, int] = {}
    for number in [*range(1, COPIES + 1), *range(1, 20)]:
        message = made.compose(recipient(number), date=DATE)
        mail = parsed(message)
        assert canaries(message, mail) == {f"canary{number}x"}
        local = message.envelope_from.partition("@")[0]
        links = alternative(mail, "html") + mail["List-Unsubscribe"]
        tokens = re.findall(rf"{PUBLIC}/[uvp]/([\w-]+)", links)
        assert len(tokens) >= 3
        for token in (local, mail["Message-ID"], mail["X-Pressrun-Delivery"], *tokens):
            assert owner.setdefault(token, number) == number
