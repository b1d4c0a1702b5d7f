"""What each provider says, and what it is in our words: type, hardness, reason."""

# ruff: noqa: E501 - a case is a line
from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from mailer.webhooks.model import Received
from mailer.webhooks.providers import READERS

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
Json = dict[str, object]


def ses(message: Json) -> Json:
    return {"Type": "Notification", "MessageId": "m1", "Message": json.dumps(message)}


def ses_bounce(kind: str, subtype: str, **recipient: str) -> Json:
    bounced = {"emailAddress": "ada@example.org", **recipient}
    bounce = {"bounceType": kind, "bounceSubType": subtype, "bouncedRecipients": [bounced]}
    return ses({"notificationType": "Bounce", "bounce": bounce})


def mailgun(**data: object) -> Json:
    return {"event-data": {"id": "e", **data}}


def postmark(kind: str, details: str = "") -> Json:
    return {"RecordType": "Bounce", "Type": kind, "ID": 7, "Details": details}


def sparkpost(number: int, reason: str = "", kind: str = "bounce") -> Json:
    return {"msys": {"message_event": {"type": kind, "bounce_class": number, "reason": reason}}}


def kumomta(code: int, status: str, content: str, kind: str = "Bounce", name: str = "") -> Json:
    parts = dict(zip(("class", "subject", "detail"), status.split("."), strict=True))
    response = {"code": code, "enhanced_code": parts, "content": content}
    return {"type": kind, "response": response, "bounce_classification": name}


def postal(output: str) -> Json:
    return {"event": "MessageDeliveryFailed", "payload": {"output": output, "message": {}}}


def mailersend(kind: str, **meta: object) -> Json:
    data = {"id": "e", "type": kind, "recipient": "ada@example.org", "message_id": "m"}
    return {"type": f"activity.{kind}", "data": {**data, "meta": meta or []}}


CASES: list[tuple[str, Json, str]] = [
    ("amazon_ses", ses_bounce("Permanent", "NoEmail"), "bounced hard no-such-user"),
    ("amazon_ses", ses_bounce("Permanent", "Suppressed"), "bounced hard no-such-user"),
    ("amazon_ses", ses_bounce("Permanent", "OnAccountSuppressionList"), "bounced hard relay"),
    ("amazon_ses", ses_bounce("Transient", "MailboxFull"), "bounced soft mailbox-full"),
    ("amazon_ses", ses_bounce("Transient", "General", diagnosticCode="smtp; 421 4.7.0 rate limited"), "bounced soft rate"),
    ("amazon_ses", ses_bounce("Permanent", "General", diagnosticCode="smtp; 554 5.7.1 spam content"), "bounced hard spam"),
    ("amazon_ses", ses_bounce("Permanent", "General", diagnosticCode="smtp; 552 5.2.2 over quota"), "bounced soft mailbox-full"),
    ("amazon_ses", ses({"eventType": "DeliveryDelay", "deliveryDelay": {"delayedRecipients": [{"emailAddress": "a@b.c"}]}}), "deferred"),
    ("amazon_ses", ses({"eventType": "Complaint", "complaint": {"complaintFeedbackType": "abuse"}}), "complained"),
    ("amazon_ses", ses({"eventType": "Complaint", "complaint": {"complaintFeedbackType": "not-spam"}}), "passed not-spam"),
    ("amazon_ses", ses({"eventType": "Subscription", "subscription": {"newTopicPreferences": {"unsubscribeAll": True}}}), "unsubscribed"),
    ("amazon_ses", ses({"eventType": "Reject", "reject": {"reason": "Bad content"}}), "bounced soft policy"),
    ("sendgrid", {"event": "bounce", "type": "bounce", "reason": "550 5.1.1 unknown"}, "bounced hard no-such-user"),
    ("sendgrid", {"event": "bounce", "type": "blocked", "reason": "554 5.7.1 listed at spamhaus"}, "bounced soft reputation"),
    ("sendgrid", {"event": "bounce", "type": "blocked", "bounce_classification": "Frequency/Volume"}, "bounced soft rate"),
    ("sendgrid", {"event": "dropped", "reason": "Bounced Address"}, "bounced hard no-such-user"),
    ("sendgrid", {"event": "dropped", "reason": "Spam Reporting Address"}, "bounced soft relay"),
    ("sendgrid", {"event": "spamreport"}, "complained"),
    ("sendgrid", {"event": "group_unsubscribe"}, "unsubscribed"),
    ("sendgrid", {"event": "processed"}, "passed processed"),
    ("mailgun", mailgun(event="failed", severity="temporary"), "deferred"),
    ("mailgun", mailgun(event="failed", severity="permanent", reason="suppress-bounce"), "bounced hard no-such-user"),
    ("mailgun", mailgun(event="failed", severity="permanent", reason="suppress-unsubscribe"), "bounced soft relay"),
    ("mailgun", mailgun(event="failed", severity="permanent", **{"delivery-status": {"code": 607}}), "bounced soft relay"),
    ("mailgun", mailgun(event="failed", severity="permanent", reason="old"), "bounced soft network"),
    ("mailgun", mailgun(event="complained"), "complained"),
    ("postmark", postmark("HardBounce", "smtp;550 5.1.1 no such user"), "bounced hard no-such-user"),
    ("postmark", postmark("SoftBounce", "smtp;452 4.2.2 mailbox full"), "bounced soft mailbox-full"),
    ("postmark", postmark("Transient"), "deferred"),
    ("postmark", postmark("DMARCPolicy"), "bounced soft authentication"),
    ("postmark", postmark("SpamNotification"), "bounced soft spam"),
    ("postmark", postmark("AutoResponder"), "auto-reply"),
    ("postmark", {"RecordType": "SpamComplaint", "ID": 1}, "complained"),
    ("postmark", {"RecordType": "SubscriptionChange", "SuppressSending": True, "SuppressionReason": "ManualSuppression"}, "unsubscribed"),
    ("postmark", {"RecordType": "SubscriptionChange", "SuppressSending": False}, "passed resubscribed"),
    ("sparkpost", sparkpost(10), "bounced hard no-such-user"),
    ("sparkpost", sparkpost(22), "bounced soft mailbox-full"),
    ("sparkpost", sparkpost(51), "bounced soft reputation"),
    ("sparkpost", sparkpost(60), "auto-reply"),
    ("sparkpost", sparkpost(90), "unsubscribed"),
    ("sparkpost", sparkpost(21, kind="delay"), "deferred"),
    ("sparkpost", {"msys": {}}, "passed ping"),
    ("brevo", {"event": "softBounce", "reason": "452 4.2.2 mailbox full"}, "bounced soft mailbox-full"),
    ("brevo", {"event": "spam"}, "complained"),
    ("brevo", {"event": "blocked"}, "bounced soft relay"),
    ("mailjet", {"event": "bounce", "hard_bounce": True, "error": "user unknown"}, "bounced hard no-such-user"),
    ("mailjet", {"event": "bounce", "hard_bounce": False, "error": "quota exceeded"}, "bounced soft mailbox-full"),
    ("mailjet", {"event": "blocked", "error_related_to": "mailjet", "error": "preblocked"}, "bounced soft relay"),
    ("mailjet", {"event": "unsub"}, "unsubscribed"),
    ("mailjet", {"event": "bounce", "hard_bounce": False, "error": "greylisted"}, "deferred"),
    ("resend", {"type": "email.bounced", "data": {"bounce": {"type": "Transient", "subType": "MailboxFull"}}}, "bounced soft mailbox-full"),
    ("resend", {"type": "email.suppressed", "data": {}}, "bounced soft relay"),
    ("resend", {"type": "email.complained", "data": {}}, "complained"),
    ("resend", {"type": "contact.created"}, "passed contact.created"),
    ("mailersend", {"type": "activity.soft_bounced", "data": {}}, "bounced soft unknown"),
    ("mailersend", {"type": "activity.spam_complaint", "data": {}}, "complained"),
    ("mailersend", mailersend("hard_bounced", bounce_code=550, bounce_reason="5.1.1 user unknown"), "bounced hard no-such-user"),
    ("mailersend", mailersend("soft_bounced", bounce_code="452", bounce_reason="mailbox full"), "bounced soft mailbox-full"),
    ("mailersend", mailersend("spam_complaints"), "complained"),
    ("mailersend", mailersend("suppressed", suppression_reason="hard bounced before"), "bounced soft relay"),
    ("mailersend", mailersend("unsubscribed", unsubscribe_reason="too many"), "unsubscribed"),
    ("mailersend", mailersend("delivered"), "delivered"),
    ("mailersend", {"type": "webhook.test"}, "passed webhook.test"),
    ("mailtrap", {"event": "soft bounce", "response": "452 4.2.2 mailbox full"}, "deferred"),
    ("mailtrap", {"event": "inbound.message_received"}, "passed inbound.message_received"),
    ("mailtrap", {"event": "reject"}, "bounced soft relay"),
    ("mailtrap", {"event": "spam_complaint"}, "complained"),
    ("postal", postal("550 5.1.1 user unknown"), "bounced hard no-such-user"),
    ("postal", postal("554 5.7.1 Service unavailable; blocked using zen.spamhaus.org"), "bounced soft reputation"),
    ("postal", {"event": "MessageHeld", "payload": {}}, "passed MessageHeld"),
    ("postal", {"event": "MessageSent", "payload": {"message": {"direction": "incoming"}}}, "passed incoming mail"),
    ("unisender_go", {"status": "hard_bounced", "delivery_info": {"delivery_status": "err_user_unknown"}}, "bounced hard no-such-user"),
    ("unisender_go", {"status": "soft_bounced", "delivery_info": {"delivery_status": "err_mailbox_full"}}, "bounced soft mailbox-full"),
    ("unisender_go", {"event_name": "transactional_spam_block"}, "passed transactional_spam_block"),
    ("azure", {"eventType": "Microsoft.Communication.EmailDeliveryReportReceived", "data": {"status": "FilteredSpam"}}, "bounced soft spam"),
    ("azure", {"type": "Microsoft.Communication.EmailDeliveryReportReceived", "data": {"status": "Delivered"}}, "delivered"),
    ("kumomta", kumomta(550, "5.1.1", "user unknown"), "bounced hard no-such-user"),
    ("kumomta", kumomta(550, "5.0.0", "no", name="InactiveMailbox"), "bounced soft disabled"),
    ("kumomta", kumomta(554, "5.7.1", "message looks like spam", "OOB"), "bounced soft spam"),
    ("kumomta", kumomta(451, "4.3.0", "later", "TransientFailure"), "deferred"),
    ("kumomta", {"type": "Expiration"}, "bounced soft network"),
    ("kumomta", {"type": "Feedback", "feedback_report": {"feedback_type": "abuse"}}, "complained"),
    ("kumomta", {"type": "Feedback", "feedback_report": {"feedback_type": "opt-out"}}, "unsubscribed"),
    ("zonemta", {"id": "1", "category": "greylist", "response": "451 4.7.1 greylisted"}, "bounced soft greylisted"),
    ("haraka", {"event": "deferred"}, "deferred"),
    ("haraka", {"event": "bounce", "response": "550 5.2.1 mailbox disabled"}, "bounced soft disabled"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "body", "meaning"), CASES, ids=[f"{c[0]}-{c[2]}-{n}" for n, c in enumerate(CASES)]
)
def test_what_it_means(name: str, body: Json, meaning: str) -> None:
    report = READERS[name](Received(id="r", at=NOW, body=json.dumps(body).encode()))
    assert report.mistakes == ()
    told = [f"passed {word}" for word in report.passed]
    for event in report.events:
        bounced = event.hardness is not None
        told.append(f"{event.type} {event.hardness} {event.reason}" if bounced else event.type)
    assert told == [meaning]


def test_mailersends_second_version_names_its_message() -> None:
    body = {**mailersend("delivered"), "created_at": "2026-12-01T08:59:00Z"}
    (event,) = READERS["mailersend"](
        Received(id="r", at=NOW, body=json.dumps(body).encode())
    ).events

    assert (event.recipient, event.provider_id, event.at.minute) == ("ada@example.org", "m", 59)


def test_several_recipients_are_several_events() -> None:
    bounced = [{"emailAddress": f"p{number}@example.org"} for number in range(3)]
    bounce = {"bounceType": "Permanent", "bouncedRecipients": bounced}
    body = ses({"notificationType": "Bounce", "bounce": bounce, "mail": {"messageId": "x"}})
    report = READERS["amazon_ses"](Received(id="r", at=NOW, body=json.dumps(body).encode()))
    assert [event.recipient for event in report.events] == [one["emailAddress"] for one in bounced]
    assert [event.id for event in report.events] == ["m1", "m1/2", "m1/3"]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("amazon_ses", ses({"eventType": "Delivery", "mail": {"destination": ["a@b.c"], "headers": [{"name": "X-Pressrun-Delivery", "value": "tok"}]}})),
        ("amazon_ses", ses({"eventType": "Delivery", "mail": {"destination": ["a@b.c"], "tags": {"ses:source-ip": ["1.2.3.4"], "pressrun-delivery": ["tok"]}}})),
        ("sendgrid", {"event": "delivered", "pressrun-delivery": "tok"}),
        ("mailgun", mailgun(event="delivered", **{"user-variables": {"pressrun-delivery": "tok"}})),
        ("postmark", {"RecordType": "Delivery", "Metadata": {"pressrun-delivery": "tok"}}),
        ("sparkpost", {"msys": {"message_event": {"type": "delivery", "rcpt_meta": {"pressrun_delivery": "tok"}}}}),
        ("brevo", {"event": "delivered", "X-Mailin-custom": '{"pressrun-delivery": "tok"}'}),
        ("mailjet", {"event": "sent", "Payload": '{"pressrun-delivery": "tok"}'}),
        ("resend", {"type": "email.delivered", "data": {"headers": [{"name": "X-Pressrun-Delivery", "value": "tok"}]}}),
        ("mailtrap", {"event": "delivery", "custom_variables": {"pressrun-delivery": "tok"}}),
        ("unisender_go", {"status": "delivered", "metadata": {"pressrun-delivery": "tok"}}),
        ("kumomta", {"type": "Delivery", "headers": {"X-Pressrun-Delivery": "tok"}}),
    ],
)  # fmt: skip
def test_our_token_is_found(name: str, body: Json) -> None:
    report = READERS[name](Received(id="r", at=NOW, body=json.dumps(body).encode()))
    assert [event.token for event in report.events] == ["tok"]


@pytest.mark.parametrize("value", [[], ["tok", "tok2"], [["tok"]], [7], {"tok": 1}, None, True])
def test_a_tag_that_is_not_one_text_is_no_token(value: object) -> None:
    mail = {"destination": ["a@b.c"], "tags": {"pressrun-delivery": value}}
    body = json.dumps(ses({"eventType": "Delivery", "mail": mail})).encode()
    report = READERS["amazon_ses"](Received(id="r", at=NOW, body=body))
    assert [event.token for event in report.events] == [""]


def test_both_ids_of_mailjet_are_kept() -> None:
    body = b'{"event": "sent", "MessageID": 42, "Message_GUID": "1b2c-3d4e", "email": "a@b.c"}'
    [event] = READERS["mailjet"](Received(id="r", at=NOW, body=body)).events
    assert (event.provider_id, event.other_id) == ("42", "1b2c-3d4e")


def test_our_return_path_is_a_token_and_nobody_elses_is() -> None:
    token = "b-aeaaaaaaaaaaaaabqmktzbpmnjwj6yfxs3gk5ydp"
    for sender, found in ((f"{token}@in.example.com", token), ("b-day@example.com", "")):
        body = json.dumps({"type": "Delivery", "sender": sender}).encode()
        report = READERS["kumomta"](Received(id="r", at=NOW, body=body))
        assert [event.token for event in report.events] == [found]
