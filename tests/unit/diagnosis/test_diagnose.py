"""Replies as servers write them, and whose trouble each is."""

from __future__ import annotations

import time

import pytest

from mailer.diagnosis import Diagnosis, diagnose, enhanced_code
from subscribers.reason import ABOUT_ADDRESS, Reason

HARD, SOFT = True, False

#: (code, enhanced, text) as the server says it -> what it means.
REPLIES: dict[str, tuple[int, str | None, str, Reason, bool]] = {
    "gmail unknown": (
        550, "5.1.1",
        "The email account that you tried to reach does not exist. Please try double-checking the "
        "recipient's email address for typos or unnecessary spaces. For more information, go to "
        "https://support.google.com/mail/?p=NoSuchUser d2e1a72fcca58-6ea - gsmtp",
        Reason.NO_SUCH_USER, HARD,
    ),
    "gmail disabled": (
        550, "5.2.1",
        "The email account that you tried to reach is disabled. For more information, go to "
        "https://support.google.com/mail/?p=DisabledUser - gsmtp",
        Reason.DISABLED, SOFT,
    ),
    "gmail inactive": (
        550, "5.2.1", "The email account that you tried to reach is inactive.",
        Reason.DISABLED, SOFT,
    ),
    "gmail full for now": (
        452, "4.2.2",
        "The recipient's inbox is out of storage space. Please direct the recipient to "
        "https://support.google.com/mail/?p=OverQuotaTemp - gsmtp",
        Reason.MAILBOX_FULL, SOFT,
    ),
    "gmail full": (
        552, "5.2.2", "The email account that you tried to reach is over quota.",
        Reason.MAILBOX_FULL, SOFT,
    ),
    "gmail busy recipient": (
        450, "4.2.1",
        "The user you are trying to contact is receiving mail at a rate that prevents additional "
        "messages from being delivered.",
        Reason.RATE, SOFT,
    ),
    "gmail rate": (
        421, "4.7.28",
        "Our system has detected an unusual rate of unsolicited mail originating from your IP "
        "address. To protect our users from spam, mail sent from your IP address has been "
        "temporarily rate limited.",
        Reason.RATE, SOFT,
    ),
    "gmail rate, old": (
        421, "4.7.0",
        "Our system has detected an unusual rate of unsolicited mail originating from your IP "
        "address.",
        Reason.RATE, SOFT,
    ),
    "gmail spam": (
        550, "5.7.1",
        "Our system has detected that this message is likely unsolicited mail. To reduce the "
        "amount of spam sent to Gmail, this message has been blocked.",
        Reason.SPAM, SOFT,
    ),
    "gmail unauthenticated": (
        550, "5.7.26",
        "This mail has been blocked because the sender is unauthenticated. Gmail requires all "
        "senders to authenticate with either SPF or DKIM.",
        Reason.AUTHENTICATION, SOFT,
    ),
    "gmail sending address": (
        550, "5.7.1",
        "The IP you're using to send mail is not authorized to send email directly to our servers.",
        Reason.REPUTATION, SOFT,
    ),
    "gmail size": (
        552, "5.3.4", "Your message exceeded Google's message size limits.",
        Reason.TOO_BIG, SOFT,
    ),
    "gmail login": (
        535, "5.7.8", "Username and Password not accepted.", Reason.RELAY, SOFT,
    ),
    "gmail quota of ours": (
        550, "5.4.5", "Daily user sending limit exceeded.", Reason.RELAY, SOFT,
    ),
    "outlook.com unknown": (
        550, "5.5.0", "Requested action not taken: mailbox unavailable (S2017062302).",
        Reason.NO_SUCH_USER, HARD,
    ),
    "exchange edge": (
        550, "5.4.1", "Recipient address rejected: Access denied. AS(201806281)",
        Reason.NO_SUCH_USER, HARD,
    ),
    "exchange not found": (
        550, "5.1.10",
        "RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        Reason.NO_SUCH_USER, HARD,
    ),
    "null MX": (
        556, "5.1.10", "Recipient address has null MX", Reason.NO_SUCH_DOMAIN, HARD,
    ),
    "outlook.com block list": (
        550, "5.7.1",
        "Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet "
        "service provider since part of their network is on our block list (S3140).",
        Reason.REPUTATION, SOFT,
    ),
    "exchange banned": (
        550, "5.7.606", "Access denied, banned sending IP [192.0.2.1].", Reason.REPUTATION, SOFT,
    ),
    "outlook.com rate": (
        451, "4.7.650",
        "The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation.",
        Reason.RATE, SOFT,
    ),
    "exchange busy": (
        451, "4.7.500", "Server busy. Please try again later from [192.0.2.1].", Reason.RATE, SOFT,
    ),
    "outlook.com authentication": (
        550, "5.7.515",
        "Access denied, sending domain news.test doesn't meet the required authentication level.",
        Reason.AUTHENTICATION, SOFT,
    ),
    "exchange DMARC": (
        550, "5.7.509",
        "Access denied, sending domain news.test does not pass DMARC verification and has a DMARC "
        "policy of reject.",
        Reason.AUTHENTICATION, SOFT,
    ),
    "exchange full": (
        554, "5.2.2", "mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException",
        Reason.MAILBOX_FULL, SOFT,
    ),
    "yahoo unknown": (
        554, None,
        "delivery error: dd This user doesn't have a yahoo.com account (reader@yahoo.com) [0]",
        Reason.NO_SUCH_USER, HARD,
    ),
    "yahoo not found": (
        552, None, "1 Requested mail action aborted, mailbox not found",
        Reason.NO_SUCH_USER, HARD,
    ),
    "yahoo disabled": (
        554, None,
        "30 Sorry, your message to reader@yahoo.com cannot be delivered. This mailbox is disabled "
        "(554.30).",
        Reason.DISABLED, SOFT,
    ),
    "yahoo deferred": (
        421, "4.7.0",
        "[TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user "
        "complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes",
        Reason.RATE, SOFT,
    ),
    "yahoo listed": (
        553, "5.7.1",
        "[BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's "
        "list",
        Reason.REPUTATION, SOFT,
    ),
    "yahoo policy": (
        554, "5.7.9", "Message not accepted for policy reasons.", Reason.POLICY, SOFT,
    ),
    "icloud unknown": (
        550, "5.1.1", "<reader@icloud.com>: user does not exist", Reason.NO_SUCH_USER, HARD,
    ),
    "icloud full": (
        552, "5.2.2", "<reader@icloud.com>: user is over quota", Reason.MAILBOX_FULL, SOFT,
    ),
    "icloud policy": (
        554, "5.7.1", "[CS01] Message rejected due to local policy.", Reason.POLICY, SOFT,
    ),
    "postfix unknown": (
        550, "5.1.1",
        "<reader@example.test>: Recipient address rejected: User unknown in virtual mailbox table",
        Reason.NO_SUCH_USER, HARD,
    ),
    "postfix greylisting": (
        450, "4.2.0",
        "<reader@example.test>: Recipient address rejected: Greylisted, see "
        "http://postgrey.schweikert.ch/help/example.test.html",
        Reason.GREYLISTED, SOFT,
    ),
    "postfix no relaying": (
        554, "5.7.1", "<reader@example.test>: Relay access denied", Reason.RELAY, SOFT,
    ),
    "postfix no domain": (
        450, "4.1.2", "<reader@nowhere.test>: Recipient address rejected: Domain not found",
        Reason.NO_SUCH_DOMAIN, SOFT,
    ),
    "postfix sender": (
        450, "4.1.8", "<me@news.test>: Sender address rejected: Domain not found",
        Reason.RELAY, SOFT,
    ),
    "postfix list": (
        554, "5.7.1",
        "Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
        Reason.REPUTATION, SOFT,
    ),
    "postfix disk": (
        452, "4.3.1", "Insufficient system storage", Reason.SYSTEM, SOFT,
    ),
    "postfix PTR": (
        450, "4.7.25", "Client host rejected: cannot find your hostname, [192.0.2.1]",
        Reason.AUTHENTICATION, SOFT,
    ),
    "postfix bounce of no host": (
        0, "5.4.4",
        "Host or domain name not found. Name service error for name=nowhere.test type=A",
        Reason.NO_SUCH_DOMAIN, HARD,
    ),
    "postfix bounce of a dead host": (
        0, "4.4.1", "connect to mx.example.test[192.0.2.9]:25: Connection timed out",
        Reason.NETWORK, SOFT,
    ),
    "exim unrouteable": (550, None, "Unrouteable address", Reason.NO_SUCH_USER, HARD),
    "cpanel": (550, None, "No Such User Here", Reason.NO_SUCH_USER, HARD),
    "exim trouble": (
        451, None, "Temporary local problem - please try later", Reason.SYSTEM, SOFT,
    ),
    "exim connections": (
        421, None, "Too many concurrent SMTP connections; please try again later.",
        Reason.RATE, SOFT,
    ),
    "exim relay": (550, None, "relay not permitted", Reason.RELAY, SOFT),
    "SES rate": (
        454, None, "Throttling failure: Maximum sending rate exceeded.", Reason.RATE, SOFT,
    ),
    "SES quota": (
        454, None, "Throttling failure: Daily message quota exceeded.", Reason.RELAY, SOFT,
    ),
    "SES sandbox": (
        554, None,
        "Message rejected: Email address is not verified. The following identities failed the "
        "check in region EU-WEST-1: reader@example.test",
        Reason.RELAY, SOFT,
    ),
    "sendgrid": (451, None, "Maximum credits exceeded", Reason.RELAY, SOFT),
    "QQ unknown": (
        550, None, "Mailbox not found. http://service.mail.qq.com/cgi-bin/help?id=20022",
        Reason.NO_SUCH_USER, HARD,
    ),
    "QQ rate": (550, None, "Ip frequency limited", Reason.RATE, SOFT),
    "QQ content": (550, None, "Mail content denied.", Reason.SPAM, SOFT),
    "163 unknown": (550, None, "User not found: reader@163.com", Reason.NO_SUCH_USER, HARD),
    "163 spam": (554, None, "DT:SPM 163 smtp10,DsCowAB", Reason.SPAM, SOFT),
    "163 SPF": (550, None, "MI:SPF 163 mx2", Reason.AUTHENTICATION, SOFT),
    "163 reputation": (421, None, "HL:REP 163 mx1", Reason.REPUTATION, SOFT),
    "mail.ru unknown": (
        550, None,
        "Message was not accepted -- invalid mailbox. Local mailbox reader@mail.ru is "
        "unavailable: user not found",
        Reason.NO_SUCH_USER, HARD,
    ),
    "mail.ru spam": (
        550, None, "spam message rejected. Please visit http://help.mail.ru/notspam-support",
        Reason.SPAM, SOFT,
    ),
    "orange unknown": (
        550, "5.1.1", "Adresse d au moins un destinataire invalide. Invalid recipient. OFR204_416",
        Reason.NO_SUCH_USER, HARD,
    ),
    "orange connections": (
        421, None, "mwinf5c02 ME Trop de connexions, veuillez verifier votre configuration.",
        Reason.RATE, SOFT,
    ),
    "orange spam": (550, "5.2.0", "Mail rejete. Mail rejected. ofr_506", Reason.SPAM, SOFT),
    "gmx unknown": (
        550, None, "Requested action not taken: mailbox unavailable", Reason.NO_SUCH_USER, HARD,
    ),
    "gmx policy": (
        554, None, "Transaction failed. Reject due to policy restrictions.", Reason.POLICY, SOFT,
    ),
    "t-online": (
        554, None,
        "IP=192.0.2.1 - A problem occurred. (Ask your postmaster for help or to contact "
        "tosa@rx.t-online.de to clarify.) (BL)",
        Reason.REPUTATION, SOFT,
    ),
    "comcast": (550, "5.1.1", "Not our Customer", Reason.NO_SUCH_USER, HARD),
    "proofpoint": (
        554, "5.7.1", "Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1",
        Reason.REPUTATION, SOFT,
    ),
    "cisco reputation": (
        554, None,
        "Your access to this mail system has been rejected due to the sending MTA's poor "
        "reputation.",
        Reason.REPUTATION, SOFT,
    ),
    "AT&T": (
        553, "5.3.0",
        "flph828 DNSBL:RBL 521< 192.0.2.1 >_is_blocked.For assistance forward this error to "
        "abuse_rbl@abuse-att.net",
        Reason.REPUTATION, SOFT,
    ),
    "mimecast": (
        451, None, "Internal resource temporarily unavailable - https://community.mimecast.com",
        Reason.GREYLISTED, SOFT,
    ),
    # What a code accuses and the words excuse.
    "spam behind 5.1.1": (
        550, "5.1.1", "Message rejected as spam by Content Filtering.", Reason.SPAM, SOFT,
    ),
    "list behind 5.1.1": (
        550, "5.1.1", "Mail from 192.0.2.1 refused, see https://www.spamhaus.org/query",
        Reason.REPUTATION, SOFT,
    ),
    "full behind 5.2.1": (550, "5.2.1", "Mailbox full", Reason.MAILBOX_FULL, SOFT),
    "unknown behind 5.7.1": (
        550, "5.7.1", "<reader@example.test>: Recipient address rejected: user unknown",
        Reason.NO_SUCH_USER, HARD,
    ),
    # Bare codes accuse nobody.
    "bare 5.7.1": (550, "5.7.1", "Refused", Reason.POLICY, SOFT),
    "bare 550": (550, None, "No", Reason.UNKNOWN, SOFT),
    "bare 554": (554, None, "Transaction failed", Reason.UNKNOWN, SOFT),
    "bare 552": (552, None, "No", Reason.MAILBOX_FULL, SOFT),
    "bare 553": (553, None, "No", Reason.BAD_ADDRESS, SOFT),
    "bare 451": (451, None, "No", Reason.SYSTEM, SOFT),
    "bare 500": (500, None, "What?", Reason.PROTOCOL, SOFT),
    "bare 5.0.0": (550, "5.0.0", "No", Reason.UNKNOWN, SOFT),
    "bare 5.1.1": (550, "5.1.1", "", Reason.NO_SUCH_USER, HARD),
    "bare 5.1.3": (501, "5.1.3", "Bad recipient address syntax", Reason.BAD_ADDRESS, HARD),
    "bare 5.1.6": (551, "5.1.6", "", Reason.MOVED, HARD),
    "bare 4.4.7 of a report": (0, "4.4.7", "", Reason.NETWORK, SOFT),
    "unknown for now": (450, "4.1.1", "User unknown", Reason.NO_SUCH_USER, SOFT),
    "permanent code, passing enhanced": (550, "4.1.1", "User unknown", Reason.NO_SUCH_USER, SOFT),
    "passing code, permanent enhanced": (450, "5.1.1", "User unknown", Reason.NO_SUCH_USER, SOFT),
    "nothing at all": (0, None, "", Reason.UNKNOWN, SOFT),
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "enhanced", "text", "reason", "hard"), REPLIES.values(), ids=REPLIES
)
def test_replies(code: int, enhanced: str | None, text: str, reason: Reason, hard: bool) -> None:
    assert diagnose(code, enhanced, text) == Diagnosis(reason=reason, hard=hard)


@pytest.mark.parametrize("enhanced", [f"5.7.{detail}" for detail in range(40) if detail != 13])
def test_policy_alone_is_never_the_subscriber_s_fault(enhanced: str) -> None:
    if enhanced in ("5.7.17", "5.7.18"):
        # RFC 7293: the mailbox or domain has changed hands, so it is no longer theirs.
        assert diagnose(550, enhanced, "").hard
    else:
        assert diagnose(550, enhanced, "").reason not in ABOUT_ADDRESS


def test_hard_is_only_about_addresses() -> None:
    for code, enhanced, text, _, _ in REPLIES.values():
        found = diagnose(code, enhanced, text)
        assert not found.hard or found.reason in ABOUT_ADDRESS


@pytest.mark.parametrize(
    "text",
    ["a" * 1_000_000, "mailbox " * 100_000, "exceeded its " * 50_000, "user is was " * 80_000],
    ids=["letters", "mailbox", "quota", "user"],
)
def test_a_long_text_takes_no_time(text: str) -> None:
    begun = time.process_time()
    diagnose(550, None, text)
    assert time.process_time() - begun < 0.2


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("5.1.1 No", "5.1.1"),
        ("#5.1.0 Address rejected.", "5.1.0"),
        ("4.7.650 Later", "4.7.650"),
        ("5.1.10", "5.1.10"),
        ("No 5.1.1", None),
        ("5.1.1.2 is my version", None),
        ("192.0.2.1 is blocked", None),
        ("3.1.1 No", None),
        ("5.1.1111 No", None),
        ("", None),
    ],
)
def test_enhanced_code(text: str, code: str | None) -> None:
    assert enhanced_code(text) == code
