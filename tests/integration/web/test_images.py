"""Images of issues: from the author's folder to the web process and into messages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from mailer.campaign import queries
from mailer.campaign.freeze import Frozen, freeze
from mailer.campaign.model import CampaignKind
from mailer.delivery.compose import CampaignIdentity, compile_campaign
from mailer.delivery.model import Recipient
from mailer.errors import RenderingFailed
from mailer.resources import templates
from subscribers import queries as people
from tests.integration.feedback.world import World
from tests.integration.web.client import Client

SAMPLE = templates() / "sample" / "magazine"
PUBLIC = "https://news.example.com"


def _freeze(world: World, issue: Path) -> Frozen:
    with world.database.write() as session:
        newsletter = replace(people.newsletters(session)[0], theme="magazine")
        frozen = freeze(issue, newsletter, public_url=PUBLIC)
        for _ in range(2):  # the same image in the next issue is the same row
            queries.keep_images(session, frozen.images, now=datetime.now(UTC))
    return frozen


def test_published_images_are_those_of_the_issue(client: Client, world: World) -> None:
    frozen = _freeze(world, SAMPLE / "issue.md")
    assert len(frozen.images) == 5
    for image in frozen.images:
        assert f'src="{PUBLIC}/i/{image.name}"' in frozen.rendering.html
        got = client.get(f"/i/{image.name}")
        assert got.content == image.content
        assert got.headers["content-type"] == "image/jpeg"
        assert got.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert client.get("/i/" + "0" * 32 + ".png").status_code == 404


@pytest.mark.parametrize("name", ["x.png", "../pressrun.toml", "0" * 32 + ".svg", "%00"])
def test_other_names_show_nothing(client: Client, name: str) -> None:
    assert client.get(f"/i/{name}").status_code in (400, 404)


def test_embedded_images_travel_in_the_message(
    client: Client, world: World, tmp_path: Path
) -> None:
    for file in SAMPLE.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    issue = tmp_path / "issue.md"
    issue.write_text(issue.read_text().replace("lang: en", "lang: en\nimages: embed"))
    frozen = _freeze(world, issue)
    contents = {image.name: image.content for image in frozen.images}
    assert set(frozen.rendering.embedded) == set(contents)
    message = message_from_bytes(_message(world, frozen, contents), policy=policy.default)
    assert message.get_content_type() == "multipart/related"
    html = message.get_body(("html",)).get_content()
    assert "Why walking downhill" in message.get_body(("plain",)).get_content()
    parts = {part["Content-ID"].strip("<>"): part for part in message.iter_attachments()}
    assert len(parts) == 5
    for cid, part in parts.items():
        assert f'src="cid:{cid}"' in html
        assert part.get_content() == contents[cid.removesuffix("@images")]


def test_a_lost_image_is_no_hole_in_a_message(world: World, tmp_path: Path) -> None:
    frozen = _freeze(world, SAMPLE / "issue.md")
    holed = replace(frozen.rendering, embedded=("a.png",), checksum="")
    with pytest.raises(RenderingFailed, match="is gone"):
        _message(world, Frozen(issue=frozen.issue, rendering=holed), {"a.png": None})


def _message(world: World, frozen: Frozen, images: dict[str, bytes | None]) -> bytes:
    with world.database.read() as session:
        newsletter = people.newsletters(session)[0]
    composer = compile_campaign(
        frozen.rendering,
        newsletter,
        campaign=CampaignIdentity(id=1, kind=CampaignKind.ISSUE),
        keyring=world.keyring,
        public_url=PUBLIC,
        images={name: images[name] for name in frozen.rendering.embedded},
    )
    recipient = Recipient(
        delivery_id=1, subscriber_id=1, address="ada@example.org", name="Ada", attributes={}
    )
    return composer.compose(recipient, date=datetime.now(UTC)).content
