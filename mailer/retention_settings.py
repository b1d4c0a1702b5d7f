"""How long each kind of record about people is kept: `[retention]`."""

from __future__ import annotations

from datetime import timedelta

from mailer.section import Section


class RetentionSettings(Section):
    """What `mailer serve` and `mailer web` end once an hour, or `mailer privacy purge` at once."""

    #: Deliveries, opens and clicks one by one; the sums in reports stay.
    events: timedelta = timedelta(days=400)
    #: People who were asked to confirm and never did.
    pending: timedelta = timedelta(days=30)
    #: Addresses that tests were sent to.
    tests: timedelta = timedelta(days=30)
    #: Requests of webhooks, and mail, as they came, where nobody understood them.
    requests: timedelta = timedelta(days=30)
