"""Substack: `email_list.….csv` in the zip of a publication, or the export of the Subscribers page.

`email_disabled` is somebody who wants no mail any more, or whose address bounced. "Cancel date" is
the end of a paid subscription, not of the newsletter. There are no fields of one's own; the rest of
the columns counts opens and visits.
"""

from __future__ import annotations

from subscribers.attribute.model import Kind
from subscribers.transfer.profile.model import Profile, Rest, marks, spread
from subscribers.transfer.standing import ACTIVE, UNSUBSCRIBED, words

SUBSTACK = Profile(
    name="substack",
    title="Substack",
    marks=marks("email activesubscription", "email startdate subscriptionsourcefree"),
    columns=spread(
        {
            "email": "email",
            "name": "name",
            "status": "emaildisabled",
            "joined_at": "createdat startdate",
            "paid": "activesubscription",
            "plan": "plan type",
            "paid_until": "expiry expirationdate",
            "paid_since": "firstpaymentat firstpaiddate",
            "country": "country",
        }
    ),
    statuses=words({"true yes": UNSUBSCRIBED, "false no": ACTIVE}),
    kinds={"paid": Kind.BOOLEAN, "paid_until": Kind.DATE, "paid_since": Kind.DATE},
    rest=Rest.IGNORE,
)
