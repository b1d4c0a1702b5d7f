"""The table of dialects: one row a service, as its own documentation tells it.

What is documented nowhere is taken from what such relays are seen to do, and where neither is
to be had the row takes the safer side: a header left unsigned harms nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from mailer.delivery.dialects.model import Dialect, Form, Metadata, Signs, Stream

#: The name of our token in metadata; Postmark allows 20 characters, 80 for the value.
TOKEN_NAME = "pressrun-delivery"  # noqa: S105

_ID = r"<?([^\s<>()\[\],;]{4,255})>?"
_OK_ID = re.compile(rf"^Ok:?\s+(?!id=)(?=\S*\d){_ID}\s*$", re.IGNORECASE | re.MULTILINE)
_QUEUED_AS = re.compile(rf"\bqueued as:?\s+{_ID}", re.IGNORECASE)
_EITHER_ID = re.compile(f"{_QUEUED_AS.pattern}|{_OK_ID.pattern}", _OK_ID.flags)


def _limits(*phrases: str) -> re.Pattern[str]:
    """What any of these services says of an account's limits, and what one of them says."""
    common = (
        r"throttl",
        r"rate[ -]?limit",
        r"too many requests",
        # Of the size of a message they say much the same.
        r"(sending|message|request|hourly|daily|monthly|plan) "
        r"((?!size)\w+ ){0,2}(limit|quota|rate)( \w+){0,3} (exceeded|reached)",
        r"(exceed\w*|reached) (\w+ ){0,3}(sending|hourly|daily|monthly|message) "
        r"((?!size)\w+ ){0,2}(limit|quota|rate)",
        r"credits? (exceeded|exhausted)",
    )
    return re.compile("|".join((*common, *phrases)), re.IGNORECASE)


_EVERY = (
    Dialect(name="smtp", title="any SMTP server", signs=Signs.US, keeps_return_path=True),
    Dialect(
        name="ses",
        title="Amazon SES",
        hosts=(".amazonaws.com", ".amazonaws.com.cn"),
        # "Manual DKIM signing" and "Header fields" in its guide; it adds a Feedback-ID of its own.
        rewrites=frozenset({"message-id", "date", "return-path", "bounces-to", "feedback-id"}),
        signs=Signs.BOTH,
        keeps_return_path=False,
        metadata=Metadata(header="X-SES-MESSAGE-TAGS", form=Form.TAGS),
        stream=Stream(header="X-SES-CONFIGURATION-SET", word="configuration set"),
        reply_id=_OK_ID,
        limits=_limits(
            r"maximum sending rate exceeded",
            r"daily message quota exceeded",
            r"too many concurrent",
        ),
        webhook="amazon_ses",
    ),
    Dialect(
        name="postmark",
        title="Postmark",
        hosts=(".postmarkapp.com",),
        signs=Signs.RELAY,
        keeps_return_path=False,
        metadata=Metadata(header=f"X-PM-Metadata-{TOKEN_NAME}", form=Form.PLAIN),
        stream=Stream(header="X-PM-Message-Stream", word="message stream"),
        # Without X-PM-KeepID it replaces the Message-ID.
        headers={"X-PM-KeepID": "true", "X-PM-TrackOpens": "false", "X-PM-TrackLinks": "None"},
        reply_id=_QUEUED_AS,
        limits=_limits(r"not allowed to send .{0,60}limit"),
        webhook="postmark",
    ),
    Dialect(
        name="sendgrid",
        title="SendGrid",
        hosts=(".sendgrid.net",),
        signs=Signs.RELAY,
        keeps_return_path=False,
        metadata=Metadata(header="X-SMTPAPI", form=Form.JSON, path=("unique_args",)),
        headers={
            "X-SMTPAPI": json.dumps(
                {
                    "filters": {
                        "clicktrack": {"settings": {"enable": 0}},
                        "opentrack": {"settings": {"enable": 0}},
                    }
                }
            )
        },
        reply_id=_QUEUED_AS,
        limits=_limits(r"too (frequent connects|many recipients received this hour)"),
        webhook="sendgrid",
    ),
    Dialect(
        name="mailgun",
        title="Mailgun",
        hosts=(".mailgun.org",),
        signs=Signs.RELAY,
        keeps_return_path=False,
        metadata=Metadata(header="X-Mailgun-Variables", form=Form.JSON),
        headers={"X-Mailgun-Track": "no"},
        # "Great success" and no id: its reports name our Message-ID, which it keeps.
        limits=_limits(r"not allowed to send: .{0,80}limit"),
        webhook="mailgun",
    ),
    Dialect(
        name="sparkpost",
        title="SparkPost",
        hosts=(".sparkpostmail.com",),
        signs=Signs.RELAY,
        keeps_return_path=False,
        metadata=Metadata(header="X-MSYS-API", form=Form.JSON, path=("metadata",)),
        headers={
            "X-MSYS-API": json.dumps({"options": {"open_tracking": False, "click_tracking": False}})
        },
        # The id of its queue; its reports have ids of their own, and our token.
        reply_id=_OK_ID,
        limits=_limits(r"exceed(ed)? sending limit"),
        webhook="sparkpost",
    ),
    Dialect(
        name="brevo",
        title="Brevo",
        hosts=("smtp-relay.brevo.com", "smtp-relay.sendinblue.com"),
        rewrites=frozenset({"feedback-id"}),
        signs=Signs.RELAY,
        keeps_return_path=False,
        metadata=Metadata(header="X-Mailin-custom", form=Form.JSON),
        reply_id=_QUEUED_AS,
        limits=_limits(r"(not enough|no more|out of) credits?"),
        webhook="brevo",
    ),
    Dialect(
        name="mailjet",
        title="Mailjet",
        hosts=(".mailjet.com",),
        rewrites=frozenset({"message-id", "feedback-id"}),
        signs=Signs.RELAY,
        keeps_return_path=False,
        # X-MJ-CustomID has no room for a name: what other programs put there could be ours.
        metadata=Metadata(header="X-MJ-EventPayload", form=Form.JSON),
        headers={"X-Mailjet-TrackOpen": "0", "X-Mailjet-TrackClick": "0"},
        reply_id=_QUEUED_AS,
        limits=_limits(),
        webhook="mailjet",
    ),
    Dialect(
        name="resend",
        title="Resend",
        hosts=("smtp.resend.com",),
        # It sends by way of SES.
        rewrites=frozenset({"message-id", "date", "return-path", "feedback-id"}),
        signs=Signs.RELAY,
        keeps_return_path=False,
        reply_id=_EITHER_ID,
        limits=_limits(r"you can only make .{0,40}per second"),
        webhook="resend",
    ),
)
#: Every dialect by the name that the setting has.
DIALECTS: Mapping[str, Dialect] = {each.name: each for each in _EVERY}
#: The one that leaves mail as it is.
SMTP = DIALECTS["smtp"]
