"""beehiiv: the CSV of the Subscribers page; custom fields stand under their own names.

"inactive" has left; "pending", "validating" and "needs_attention" never confirmed.
"""

from __future__ import annotations

from subscribers.transfer.profile.model import IGNORED, Profile, marks, spread
from subscribers.transfer.standing import ACTIVE, BOUNCED, PENDING, UNSUBSCRIBED, words

BEEHIIV = Profile(
    name="beehiiv",
    title="beehiiv",
    marks=marks(
        "email status tier createdat",
        "email status subscriptiontier",
        "email status createdat unsubscribedat",
        "email status createdat utmsource",
    ),
    columns=spread(
        {
            "email": "email",
            "first_name": "firstname",
            "last_name": "lastname",
            "status": "status",
            "joined_at": "createdat created",
            "left_at": "unsubscribedat",
            "tags": "tags",
            "tier": "tier subscriptiontier",
            "stripe_customer_id": "stripecustomerid",
            "utm_source": "utmsource",
            "referrer_url": "referringsite",
            IGNORED: "id subscriptionid subscriberid freetier premiumtier utmmedium utmcampaign"
            " utmchannel referralcode referralcount openrate clickrate clickthroughrate",
        }
    ),
    statuses=words(
        {
            "active": ACTIVE,
            "inactive": UNSUBSCRIBED,
            "pending validating needsattention": PENDING,
            "invalid": BOUNCED,
        }
    ),
)
