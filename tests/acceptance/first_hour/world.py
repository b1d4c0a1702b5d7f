"""Everything outside Ann's terminal: readers, providers, the old service's leftovers."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx

from mailer.webhooks.verify import verifier_of
from tests.acceptance.first_hour import older
from tests.acceptance.first_hour.player import Player
from tests.services.smtp import Received, SmtpSink

READERS = 40


class World:
    """Each method is what `Happens` names."""

    def __init__(self, player: Player, relay: SmtpSink, *, port: int) -> None:
        self.player = player
        self.relay = relay
        self.url = f"http://127.0.0.1:{port}"

    # -- before ------------------------------------------------------------------------------

    def an_export_lies_there(self) -> None:
        """What Revue mailed: who subscribed, who left; and an old issue."""
        head = "email,first_name,last_name,created_at\n"
        names = ["bea", "cem", "dee", *(f"reader{n}" for n in range(READERS - 3))]
        people = [
            f"{name}@example.net,{name.title()},,2021-05-0{n % 9 + 1} 08:00:00 UTC\n"
            for n, name in enumerate(names)
        ]
        left = [f"gone{n}@example.net,Gone,,2020-01-01 08:00:00 UTC\n" for n in range(3)]
        with zipfile.ZipFile(self.player.folder / "revue.zip", "w") as archive:
            archive.writestr(
                "subscribers_2023-01-10.csv", head + "".join(people) + "no address,X,Y,\n"
            )
            archive.writestr("unsubscribed_2023-01-10.csv", head + "".join(left))
        (self.player.folder / "issue-30.html").write_text(
            "<html><head><title>Papers Weekly 30</title></head>"
            "<body><h1>Papers Weekly 30</h1><p>What was said then.</p></body></html>"
        )

    def a_message_lies_in_the_maildir_after_four_commands(self) -> None:
        assert self.player.typed <= 4
        [message] = (self.player.folder / "mail/new").iterdir()
        assert b"List-Unsubscribe" in message.read_bytes()

    # -- the running processes -----------------------------------------------------------------

    def the_web_process_answers(self) -> None:
        self.player.wait(self._answers, "an answer of mailer serve")

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz").is_success
        except httpx.TransportError:
            return False

    def the_preview_shows_it(self) -> None:
        log = self.player.folder / "mailer-issue-preview-issue-md.log"
        self.player.wait(lambda: "http://127.0.0.1:" in log.read_text(), "the preview's address")
        address = next(word for word in log.read_text().split() if word.startswith("http://127"))
        assert "A debugger that goes backwards." in httpx.get(f"{address}text").text

    def the_campaign_ends(self) -> None:
        self.player.wait(lambda: self._state() == "finished", "the end of the campaign")

    def the_campaign_pauses(self) -> None:
        self.player.wait(lambda: self._state() == "paused", "the campaign's pause")

    def the_time_has_come(self) -> None:
        """Nobody waits for a Monday: the campaign's own time moves to now."""
        with self._database() as database:
            database.execute(
                "UPDATE campaigns SET due_at = ? WHERE state = 'scheduled'",
                [datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")],
            )

    def the_relays_password_changes(self) -> None:
        self.relay.demand("ann", "second-password")

    def everybody_got_each_issue_once(self) -> None:
        """The relay's own record, which Pressrun never sees."""
        gone = {"bea@example.net", "cem@example.net"}
        for number, people in ((31, READERS), (32, READERS - 2), (33, READERS - 2)):
            subject = f"Subject: Papers Weekly {number}".encode()
            got = [
                recipient
                for mail in self.relay.received
                if subject in mail.content
                for recipient in mail.recipients
                if recipient.endswith("@example.net")
            ]
            assert len(got) == len(set(got)) == people
            assert number == 31 or gone.isdisjoint(got)

    def the_archive_is_open(self) -> None:
        page = httpx.get(f"{self.url}/archive/papers-weekly").text
        assert all(number in page for number in ("30", "31", "32", "33"))

    def the_database_is_of_an_older_version(self) -> None:
        """The same people and mail, as the version before would have written them down."""
        older.rewrite(self.player.folder / "pressrun.db")

    def _state(self) -> str:
        with self._database() as database:
            query = "SELECT state FROM campaigns WHERE kind = 'issue' ORDER BY id DESC LIMIT 1"
            state: str = database.execute(query).fetchone()[0]
            return state

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        file = self.player.folder / "pressrun.db"
        with closing(sqlite3.connect(file, timeout=30)) as database, database:
            yield database

    # -- what comes back -----------------------------------------------------------------------

    def a_mailbox_is_gone_and_somebody_leaves(self) -> None:
        self._report_gone("bea@example.net")
        self._leave("cem@example.net")
        self.player.wait(
            lambda: "bounced" in self.player.ask("mailer subscribers show bea@example.net"),
            "the bounce",
        )

    def _copy(self, recipient: str) -> Received:
        return self.relay.copies(recipient)[-1]

    def _report_gone(self, recipient: str) -> None:
        now = datetime.now(UTC)
        [message_id] = [
            line.partition(": ")[2]
            for line in self._copy(recipient).content.decode("ascii").split("\r\n")
            if line.startswith("Message-ID: ")
        ]
        body = json.dumps(
            {
                "id": recipient,
                "type": "bounced",
                "hard": True,
                "at": now.isoformat(),
                "recipient": recipient,
                "message_id": message_id,
                "text": "550 5.1.1 no such user",
            }
        )
        secret = (self.player.folder / "webhook.secret").read_text().strip()
        answer = httpx.post(
            f"{self.url}/webhooks/generic",
            content=body,
            headers={
                "webhook-id": recipient,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": verifier_of(secret).sign(recipient, now, body),
            },
        )
        assert answer.is_success, answer.text

    def _leave(self, recipient: str) -> None:
        text = self._copy(recipient).content.decode("ascii").replace("\r\n ", " ")
        [header] = [line for line in text.split("\r\n") if line.startswith("List-Unsubscribe: ")]
        link = next(part for part in header.split("<") if part.startswith("http"))
        answer = httpx.post(
            self.url + urlsplit(link.partition(">")[0]).path, data={"List-Unsubscribe": "One-Click"}
        )
        assert answer.is_success, answer.text
