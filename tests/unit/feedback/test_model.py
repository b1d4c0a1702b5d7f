"""What the world says later: the graver word stands."""

from __future__ import annotations

from itertools import permutations

from mailer.feedback.model import Later


def test_every_order_of_reports_ends_the_same() -> None:
    for order in permutations(Later):
        stands: Later | None = None
        for said in order:
            if stands is None or stands in said.outranked:
                stands = said
        assert stands is Later.COMPLAINED


def test_nothing_outranks_itself() -> None:
    assert [len(later.outranked) for later in Later] == [0, 1, 2]
