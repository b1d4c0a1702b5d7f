"""Mailchimp: a zip with one CSV each of subscribed, unsubscribed, cleaned and other contacts.

Merge fields come first, under their labels; the columns in capitals are the same everywhere.
Times are in UTC. "Cleaned" are hard bounces and many soft ones. "Nonsubscribed" contacts bought
something and never agreed to mail.
"""

from __future__ import annotations

from subscribers.model import Status
from subscribers.transfer.profile.model import IGNORED, Profile, marks, spread

MAILCHIMP = Profile(
    name="mailchimp",
    title="Mailchimp",
    marks=marks("emailaddress optintime", "emailaddress memberrating", "emailaddress leid euid"),
    columns=spread(
        {
            "email": "emailaddress",
            "first_name": "firstname",
            "last_name": "lastname",
            "requested_at": "optintime",
            "requested_network": "optinip",
            "confirmed_at": "confirmtime",
            "confirmed_network": "confirmip",
            "left_at": "unsubtime cleantime",
            "left_reason": "unsubreason",
            "timezone": "timezone",
            "tags": "tags",
            IGNORED: "memberrating latitude longitude gmtoff dstoff cc region lastchanged leid euid"
            " unsubcampaigntitle unsubcampaignid unsubreasonother cleancampaigntitle"
            " cleancampaignid",
        }
    ),
    implied={"unsubtime": Status.UNSUBSCRIBED, "cleantime": Status.BOUNCED},
    files={
        "unsubscribed": Status.UNSUBSCRIBED,
        "cleaned": Status.BOUNCED,
        "subscribed": Status.ACTIVE,
        "nonsubscribed": None,
        "transactional": None,
    },
)
