"""Three processes together never pass a limit, of a lane or of the relay, in any ten seconds."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from mailer.delivery import grants
from mailer.delivery.grants import WHOLE
from mailer.delivery.pace import Limits
from mailer.delivery.tables import intents
from tests.acceptance.installation import installed

#: A window that no limit may be passed in, in seconds.
WINDOW = 10.0
#: Messages a second: the relay's, and one lane's.
PER_SECOND = {WHOLE: 25, "gmail": 8}


def most_in(moments: list[float], window: float) -> int:
    """The most moments that lie in any window so long."""
    moments = sorted(moments)
    return max(bisect_left(moments, at + window) - n for n, at in enumerate(moments))


@pytest.mark.timeout(120)
def test_three_processes_never_pass_a_limit_in_any_ten_seconds(
    database_url: str, tmp_path: Path
) -> None:
    extra = {"PRESSRUN_SENDING__CHUNK_SIZE": "20"}
    with installed(tmp_path, database_url, extra=extra) as here:
        here.add_people(180)
        here.add_people(100, prefix="g", domain="gmail.com")
        with here.database.write() as session:
            for lane, per_second in PER_SECOND.items():
                limits = Limits(per_second=per_second)
                grants.set_limits(session, "default", lane, limits, now=datetime.now(UTC))
        campaign = here.schedule()
        here.start("clock")
        for _ in range(3):
            here.start("worker")
        here.wait_until_over(campaign)
        assert here.check(campaign)["sent"] == 280
        accepted = here.accepted()
        with here.database.read() as session:
            distinct = func.count(func.distinct(intents.c.worker))
            assert session.execute(select(distinct)).scalar_one() == 3
    moments = {
        WHOLE: [mail.time for mail in accepted],
        "gmail": [mail.time for mail in accepted if mail.rcpt.endswith("@gmail.com")],
    }
    for lane, per_second in PER_SECOND.items():
        assert most_in(moments[lane], WINDOW) <= per_second * WINDOW, lane
    # The limit is used, not only kept.
    whole = moments[WHOLE]
    assert len(whole) / (max(whole) - min(whole)) > PER_SECOND[WHOLE] / 4
