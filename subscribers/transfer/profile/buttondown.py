"""Buttondown: `subscribers.csv` of an export; the type says where somebody stands.

`metadata` is a JSON object of one's own fields. "unactivated" never confirmed; "unpaid" asked for a
newsletter that is only sent to those who pay.
"""

from __future__ import annotations

from subscribers.transfer.profile.model import IGNORED, Profile, marks, spread
from subscribers.transfer.standing import (
    ACTIVE,
    BLOCKED,
    BOUNCED,
    COMPLAINED,
    PENDING,
    UNSUBSCRIBED,
    words,
)

BUTTONDOWN = Profile(
    name="buttondown",
    title="Buttondown",
    marks=marks(
        "email subscribertype", "emailaddress type creationdate", "email type creationdate metadata"
    ),
    columns=spread(
        {
            "email": "email emailaddress",
            "first_name": "metadata.firstname",
            "last_name": "metadata.lastname",
            "name": "metadata.name",
            "status": "subscribertype type",
            "requested_at": "creationdate",
            "requested_network": "ipaddress",
            "left_at": "unsubscriptiondate undeliverabilitydate",
            "left_reason": "unsubscriptionreason undeliverabilityreason",
            "tags": "tags",
            "note": "notes",
            "came_from": "source metadata.source",
            "referrer_url": "referrerurl",
            IGNORED: "id secondaryid avatarurl openrate clickrate opencount clickcount"
            " deliveredcount lastopendate lastclickdate lastopened lastclicked riskscore"
            " churndate upgradedate stripecustomerid stripecoupon commentingdisabled",
        }
    ),
    statuses=words(
        {
            "regular premium trialed gifted churned churning pastdue": ACTIVE,
            "paused upcoming disabled": ACTIVE,
            "unactivated unpaid": PENDING,
            "unsubscribed removed spammy": UNSUBSCRIBED,
            "undeliverable": BOUNCED,
            "complained": COMPLAINED,
            "blocked": BLOCKED,
        }
    ),
)
