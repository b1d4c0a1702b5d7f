"""A backup taken while mail flies, brought back after more of it has flown: nobody gets two."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mailer.delivery import ledger
from subscribers.database import Database
from tests.acceptance.installation import Installation, installed
from tests.services.sink import Behaviour

PEOPLE = 300
#: What may still be under way is over sooner than usual; one message after the other.
EXTRA = {
    "PRESSRUN_SENDING__COMMAND_TIMEOUT": "1",
    "PRESSRUN_SENDING__REPLY_TIMEOUT": "1",
    "PRESSRUN_RELAY__CONNECTIONS": "1",
}


@pytest.mark.timeout(180)
def test_a_restored_campaign_doubles_nobody_and_its_relays_log_settles_it(
    postgres_url: str, tmp_path: Path
) -> None:
    with installed(tmp_path, postgres_url, behaviour=Behaviour(delay=0.1), extra=EXTRA) as first:
        people = first.add_people(PEOPLE)
        campaign = first.schedule()
        first.start("worker")
        first.start("clock")
        first.wait(lambda: len(first.accepted()) >= 20)
        done = first.run("backup", "now.tar.gz")
        assert done.returncode == 0, done.stderr
        known = len(first.accepted())
        first.wait(lambda: len(first.accepted()) >= known + 20)
        for process in first.processes:
            first.kill(process)

        second = restored(first, tmp_path)
        workers = [second.start("worker"), second.start("clock")]
        # Nothing leaves by itself, nor when a person resumes it: all that waited is in doubt.
        assert second.run("campaign", "resume", str(campaign)).returncode == 0
        second.wait(lambda: second.state(campaign) == "finished")
        flown = copies(second)
        assert known < len(flown) < PEOPLE
        assert set(flown.values()) == {1}
        states = balance(second, campaign)
        assert states.keys() == {"sent", "unknown"}
        # Known are those alone that the backup knew: none was sent since.
        assert states["sent"] < len(flown)

        log = str(first.sink_log)
        settled = second.run(
            *("campaign", "settle", str(campaign), "--policy", "from-log", "--log", log, "--yes")
        )
        assert settled.returncode == 0, settled.stderr
        assert balance(second, campaign) == {
            "sent": len(flown),
            "unknown": PEOPLE - len(flown),
        }
        # The log was whole, as only its owner can know: the rest has not left.
        second.wait(lambda: resend(second, campaign) > 0, seconds=20)
        second.wait(lambda: balance(second, campaign) == {"sent": PEOPLE})
        assert copies(second) == Counter(people)
        assert second.run("campaign", "audit", str(campaign)).returncode == 0
        for process in workers:
            process.terminate()
            assert process.wait(30) == 0
        second.database.dispose()


def restored(first: Installation, folder: Path) -> Installation:
    """The installation on another database, with its keys from the backup."""
    url = f"sqlite:///{folder / 'restored.db'}"
    (folder / "pressrun.keys").unlink()
    first.environment["PRESSRUN_DATABASE_URL"] = url
    done = first.run("restore", "now.tar.gz")
    assert done.returncode == 0, done.stderr
    assert "paused    campaign" in done.stdout
    # The same processes, sink and folder; only what it reads is another file.
    first.database.dispose()
    first.database = Database(url)
    return first


def copies(here: Installation) -> Counter[str]:
    return Counter(mail.rcpt for mail in here.accepted())


def balance(here: Installation, campaign: int) -> dict[str, int]:
    with here.database.read() as session:
        found = ledger.balance(session, campaign)
    assert found.balances
    return {str(state): count for state, count in found.states.items()}


def resend(here: Installation, campaign: int) -> int:
    done = here.run("campaign", "settle", str(campaign), "--policy", "resend", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    with here.database.read() as session:
        return sum(
            count
            for state, count in ledger.balance(session, campaign).states.items()
            if state != "unknown" and state != "sent"
        ) or int(not balance(here, campaign).get("unknown"))
