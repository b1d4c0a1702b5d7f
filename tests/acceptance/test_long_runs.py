"""What takes long: a hundred thousand messages to a real Postfix, and half an hour of work.

`PRESSRUN_TEST_POSTFIX=N` and `PRESSRUN_TEST_SOAK=MINUTES` make them shorter.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from statistics import median

import psutil
import pytest
from sqlalchemy import select

from mailer.delivery import ledger
from mailer.delivery.tables import deliveries
from subscribers.tables import subscribers
from tests import stacks
from tests.acceptance.installation import installed
from tests.services import postfix
from tests.services.process import ServiceMissing

MESSAGES = int(os.environ.get("PRESSRUN_TEST_POSTFIX", "100000"))
MINUTES = float(os.environ.get("PRESSRUN_TEST_SOAK", "30"))

pytestmark = pytest.mark.chaos


@pytest.mark.timeout(7200)
@stacks.over(stacks.EMBEDDED, stacks.REDIS)
def test_a_real_postfix_gets_each_message_once(
    stack: stacks.Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One in a hundred is refused and one put off; two workers share the rest."""
    few = MESSAGES // 100
    try:
        with (
            postfix.running() as server,
            installed(tmp_path, stack.database_url, stack.broker_url) as here,
        ):
            here.environment |= {
                "PRESSRUN_RELAY__PORT": str(server.port),
                "PRESSRUN_SENDING__CHUNK_SIZE": "500",
                "PRESSRUN_FUSE__HARD_BOUNCES": "1",
            }
            here.add_people(MESSAGES - few)
            here.add_people(few, prefix="no-")
            campaign = here.schedule()
            began = time.monotonic()
            here.start("clock")
            for _ in range(2):
                here.start("worker")
            here.wait_until_over(campaign, seconds=7000)
            took = time.monotonic() - began
            with here.database.read() as session:
                balance = ledger.balance(session, campaign)
                sent = session.execute(
                    select(subscribers.c.address)
                    .join(deliveries, deliveries.c.subscriber_id == subscribers.c.id)
                    .where(deliveries.c.campaign_id == campaign, deliveries.c.state == "sent")
                ).scalars()
                wanted = Counter(sent)
            assert balance.states == {"sent": MESSAGES - few, "failed": few}
            held = Counter(name for mail in server.held() for name in mail.recipients)
    except ServiceMissing as exc:
        pytest.fail(str(exc)) if os.environ.get("CI") == "true" else pytest.skip(str(exc))
    assert held == wanted
    with capsys.disabled():
        print(f"\n  {held.total()} messages in {took:.0f} s, {held.total() / took:.0f} a second")


@pytest.mark.timeout(7200)
@stacks.over(stacks.EMBEDDED, stacks.REDIS)
def test_memory_and_descriptors_stay_flat(
    stack: stacks.Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Campaign after campaign; the last fifth of the time needs no more than the second."""
    with installed(tmp_path, stack.database_url, stack.broker_url) as here:
        here.add_people(1000)
        processes = [psutil.Process(here.start(kind).pid) for kind in ("clock", "worker")]
        sizes: list[list[int]] = [[] for _ in processes]
        files: list[list[int]] = [[] for _ in processes]
        number, campaign = 1, here.schedule()
        until = time.monotonic() + MINUTES * 60
        while time.monotonic() < until:
            if here.state(campaign) == "finished":
                number += 1
                campaign = here.schedule(number=number)
            for n, process in enumerate(processes):
                sizes[n].append(process.memory_info().rss >> 10)
                files[n].append(process.num_fds())
            time.sleep(0.5)
        here.wait_until_over(campaign)
        assert len(here.accepted()) == number * 1000
    with capsys.disabled():
        print(f"\n  {number} campaigns in {MINUTES:g} minutes")
        for name, size, count in zip(("clock", "worker"), sizes, files, strict=True):
            fifth = len(size) // 5
            second, last = median(size[fifth : 2 * fifth]), median(size[-fifth:])
            opened, left = max(count[fifth : 2 * fifth]), max(count[-fifth:])
            print(f"  {name}: {second:.0f} KB, then {last:.0f} KB; {opened} files, then {left}")
            assert last - second <= 4096, name
            assert left - opened <= 4, name
