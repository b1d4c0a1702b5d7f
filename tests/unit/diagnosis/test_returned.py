"""What servers answer, and whether an address is at fault for good once it comes back."""

from __future__ import annotations

import time

import pytest

from mailer.diagnosis.returned import Refused, Returned, codes, judge
from subscribers.reason import Reason

#: Answers to a recipient's address after which nothing more must be sent there.
HARD = (
    "550 5.1.1 unknown address or alias: reader@example.net",
    "511 5.1.1 unknown address or alias",
    "550 cuda_nsu <reader@example.net>: no such user",
    "550 <reader@example.net> User not known",
    "550 Mailbox not found",
    "550 Invalid recipient",
    "550 Invalid recipient <reader@example.net> (#5.1.1)",
    "550 Address unknown",
    "550 Unknown recipient",
    "550 user doesn't exist",
    "550 account does not exist",
    "550 No such person at this address",
    "550 this user is not known here",
    "550 reader@example.net is not a valid mailbox",
    "550 Unrouteable address",
    "550 5.1.1 ADDRESS_NOT_FOUND",
    "550 User reader@example.net does not exist",
    "550 RCPT TO:<reader@example.net> User unknown",
    "553 5.3.0 <reader@example.net>... Address does not exist",
    "550 no such mailbox",
    "550 Recipient not found",
    "550 5.1.1 <reader@example.net> recipient rejected",
    "550 Requested action not taken: mailbox unavailable",
    "550 No mailbox by that name is currently available",
    '550 unknown local-part "reader" in domain "example.net"',
    "550 Unknown user",
    "550 User (reader@example.net) unknown.",
    "550 email address not found",
    "550 The email address you sent to wasn't found",
    "550 That account doesn't exist here",
    "550 no one here by that name",
    "550 address not present in directory",
    "550 5.1.1 Mailbox does not exist",
    "550 permanent failure for one or more recipients (reader@example.net:550 user unknown)",
    "550 Not a valid recipient",
    "553 sorry, this recipient is not in my validrcptto list (#5.7.1)",
    "550 5.1.10 RESOLVER.ADR.RecipientNotFound",
    "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)",
    "550 mail for unknown user rejected",
    "554 delivery error: dd This user doesn't have a yahoo.com account",
    "550 Addressee unknown",
    "550 Non-existent user",
    "550 Invalid user",
    "550 5.1.2 bad destination host",
    "550 Host unknown",
    "550 No such domain at this location",
    "556 5.1.10 domain does not accept mail",
    "521 5.3.2 host does not accept mail",
    "550 5.1.6 address no longer in use",
    "551 User not local; please try <new@example.org>",
    "550 reader@example.net has been replaced by new@example.net",
    "550 Domain not found",
    "550 the user has left; no longer at this company",
    "550 5.1.3 bad address syntax",
    "550 User is unknown {mx-us009}",
    "550 sorry, no mailbox here by that name (#5.1.1 - chkusr)",
    "550 5.0.0 <reader@example.net>... User unknown",
    "550 Utilisateur inconnu",
    "550 Benutzer unbekannt",
    "450 4.1.1 <reader@example.net>: Recipient address rejected: User unknown",
    "550 can't accept user",
    "550 Destination addresses were unknown",
    "550 Destination server rejected recipients",
    "550 Mailbox is unavailable",
    "550 No thank you rejected: Account Unavailable",
    "550 recipient address rejected: Invalid-Recipient",
    "550 recipient is not accepted here",
    "550 recipient is not local",
    "550 sorry, badrcptto",
    "553 sorry, your envelope recipient has been denied (#5.7.1)",
    "553 sorry, that domain or user isn't in my list of allowed rcpthosts (#5.7.1)",
    "553 sorry, your envelope recipient is in my badrcptto list (#5.7.1)",
    "550 user missing home directory",
    "550 <reader@example.net> not found",
    "550 RCPT (reader@example.net) doesn't exist",
    "550 No such virtual user here",
    "550 no reader@example.net in name directory",
    "550 non existent user",
    "550 All recipients are unknown",
    "550 Nessun utente simile in questo indirizzo",
    "550 this address no longer accepts mail",
    "553 Recipient mailbox is not allowed",
    "550 5.1.1 <reader@example.net>: inactive email address",
    "550 5.1.0 <reader@example.net> recipient rejected",
    "554 5.4.4 SMTPSEND.DNS.NonExistentDomain; nonexistent domain",
    "550 Recipient domain must exist",
    "521 5.3.2 this host takes nothing",
)

#: Answers that are no fault of the address, or that may pass.
SOFT = (
    "550 5.7.1 Message rejected due to content restrictions",
    "550 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.spamcop.net",
    "550 Access denied",
    "554 5.7.1 Access denied",
    "552 5.2.2 mailbox full",
    "550 Mailbox quota exceeded",
    "552 Requested mail action aborted: exceeded storage allocation",
    "550 sorry, the user has exceeded the disk quota",
    "550 5.2.1 The email account that you tried to reach is disabled",
    "550 Account has been suspended",
    "550 5.7.1 Mail from IP 192.0.2.1 was rejected due to listing in Spamhaus PBL",
    "550 5.7.1 Relaying denied",
    "554 Relay access denied",
    "550 5.7.26 This mail is unauthenticated",
    "550 SPF check failed for domain",
    "550 DKIM signature invalid",
    "550 Sender verify failed",
    "550 Verification failed for <news@news.example> unknown user",
    "550 Domain of sender address news@news.example does not exist",
    "553 5.1.8 Domain of sender address news@news.example does not exist",
    "550 5.1.8 Invalid sender domain",
    "550 Your IP address has no PTR record",
    "550 invalid DNS PTR resource record",
    "550 Reverse DNS lookup failed for host 192.0.2.1",
    "550 Unknown host name for client 192.0.2.1",
    "550 5.7.1 Client host rejected: cannot find your hostname",
    "550 Message size exceeds fixed maximum message size",
    "552 5.3.4 Message too large",
    "554 Message rejected: suspected spam",
    "550 rejected by header based blacklist",
    "550 This message contains malware",
    "550 High probability of spam",
    "421 too many connections",
    "450 4.7.1 Greylisting in action",
    "451 4.3.0 Temporary lookup failure",
    "452 4.2.2 Over quota",
    "550 Too many invalid recipients",
    "554 5.7.1 You are not allowed to send mail to this list",
    "550 Your message was rejected because the From address is not valid",
    "550 5.6.0 Invalid header found",
    "554 5.6.0 Message contains NUL characters",
    "550 Invalid HELO name",
    "550 Blocked by recipient: you are not in my address book",
    "550 The recipient does not want mail from you",
    "550 Mail from your server is not accepted here. Contact postmaster",
    "550 permission denied",
    "554 Transaction failed",
    "550 Administrative prohibition",
    "550 5.4.6 routing loop detected",
    "550 rejected because 192.0.2.1 is in a black list",
    "550 5.7.1 sender domain does not exist",
    "550 HELO should be a FQDN or address literal",
    "554 5.4.0 Error: too many hops",
    "550 we do not accept mail from residential IPs",
    "554 IP address not in our whitelist",
    "550 5.7.0 Local policy violation",
    "550 5.7.1 Recipient not authorized to receive external mail",
    "503 bad sequence of commands",
    "550 5.7.1 message could not be delivered because the attachment name is not valid",
    "554 Denied [CS] message scored as junk",
    "550 Rejected by recipient filter",
    "450 4.2.0 mailbox busy",
    "450 Requested mail action not taken: mailbox unavailable",
    "451 local error in processing",
    "550 5.3.0 system full",
    "550 mail server temporarily rejected message",
    "550 dns lookup failed for sender",
    "550 5.1.1 Boite du destinataire pleine. Recipient overquota. OFR_417 [417]",
    "550 5.5.0 Boite du destinataire archivee. Archived recipient. LPN007_420",
    "552 too much mail data",
    "550 The user's space has been used up",
    "554 The sender's email address is invalid",
    "550 5.1.1 The recipient is only accepting mail from specific email addresses",
    "550 5.1.1 refused due to recipient preferences",
    "550 Mailbox unavailable or access denied",
    "550 5.1.4 RESOLVER.ADR.Ambiguous; ambiguous address",
    "550 5.1.0 Emetteur invalide. Invalid Sender. OFR004_405 [405]",
    "550 the mailbox is inactive",
    "550 Please use the smtp server of your ISP",
    "550 Rejecting open proxy",
    "521 5.3.2 Service currently unavailable",
)


@pytest.mark.parametrize("said", HARD)
def test_an_address_is_given_up(said: str) -> None:
    assert judge(Returned(said=said, refused=Refused.RECIPIENT)).hard


@pytest.mark.parametrize("said", SOFT)
@pytest.mark.parametrize("refused", [Refused.RECIPIENT, Refused.MESSAGE, Refused.UNTOLD])
def test_an_address_is_kept(said: str, refused: Refused) -> None:
    assert not judge(Returned(said=said, refused=refused)).hard


@pytest.mark.parametrize("said", [said for said in HARD if codes(said) == (550, "")])
def test_what_refuses_our_server_is_not_the_readers_fault(said: str) -> None:
    assert not judge(Returned(said=said, refused=Refused.CONNECTION)).hard
    assert not judge(Returned(said=said, refused=Refused.SENDER)).hard


def test_nobody_is_unknown_after_they_were_accepted() -> None:
    said = "550 Unknown user reader@example.net"

    assert judge(Returned(said=said, refused=Refused.RECIPIENT)).hard
    filtered = judge(Returned(said=said, refused=Refused.MESSAGE))
    assert not filtered.hard
    assert filtered.reason is Reason.NO_SUCH_USER


def test_a_server_that_asked_the_mailbox_is_believed_whenever_it_answers() -> None:
    said = "554 delivery error: dd Requested mail action aborted, mailbox not found"

    assert judge(Returned(said=said, refused=Refused.MESSAGE)).hard


def test_a_vague_code_about_an_address_counts_where_the_address_was_refused() -> None:
    said = "550 5.1.0 no"

    assert judge(Returned(said=said)).hard
    assert not judge(Returned(said=said, refused=Refused.MESSAGE)).hard
    assert not judge(Returned(said="550 no", status="5.1.0")).hard


def test_the_reporters_own_words_count() -> None:
    said = "550 Requested action not taken: no such user here"

    assert not judge(Returned(said=said)).hard
    assert judge(Returned(said=said, own="Error: Invalid user address")).hard
    assert judge(Returned(said="User not listed in the directory")).hard


@pytest.mark.parametrize(
    ("said", "remote", "hard"),
    [
        ("550 <reader@ezweb.ne.jp>: User unknown", "lsean.ezweb.ne.jp", True),
        ("550 <reader@ezweb.ne.jp>: User unknown", "mx.example.com", False),
        ("550 : User unknown", "lsean.ezweb.ne.jp", False),
    ],
)
def test_kddi_names_whom_it_does_not_know(said: str, remote: str, *, hard: bool) -> None:
    assert judge(Returned(said=said, remote=remote)).hard is hard


def test_a_gateways_guess_yields_to_the_reply_that_it_quotes() -> None:
    said = "5.1.0 - Unknown address error 550-'5.2.2 <reader@example.net>... Mailbox Full'"

    diagnosis = judge(Returned(said=said, status="5.0.0"))

    assert (diagnosis.reason, diagnosis.status) == (Reason.MAILBOX_FULL, "5.2.2")
    assert not diagnosis.hard


UNKNOWN_ERRORS = (
    "Unbekannter Fehler beim Zustellen",
    "Erreur inconnue",
    "Errore sconosciuto",
    "Error desconocido",
    "Erro desconhecido",
    "Nieznany błąd",
    "Onbekende fout",
    "原因不明のエラー",
    "unknown error",
    "bad name server for the domain",
)
UNKNOWN_PEOPLE = (
    "Benutzer unbekannt",
    "Benutzer Ada ist nicht im Domino-Verzeichnis aufgeführt",
    "Utilisateur inconnu",
    "Utilisateur non répertorié dans l'annuaire",
    "Utente sconosciuto",
    "Usuario desconocido",
    "Usuário desconhecido",
    "Nieznany użytkownik",
    "Onbekende gebruiker",
    "Schránka neexistuje",
    "Användaren finns inte",
    "宛先不明",
    "Kullanıcı bulunamadı",
)


@pytest.mark.parametrize("said", UNKNOWN_ERRORS)
def test_an_unknown_error_is_nobodys_fault(said: str) -> None:
    assert not judge(Returned(said=said)).hard


@pytest.mark.parametrize("said", UNKNOWN_PEOPLE)
def test_somebody_unknown_is_told_in_any_language(said: str) -> None:
    assert judge(Returned(said=said)).reason is Reason.NO_SUCH_USER
    assert judge(Returned(said=said)).hard


def test_an_address_says_nothing_of_itself() -> None:
    for name in ("nosuchuser", "no-spam", "over-quota", "mailbox-full"):
        said = f"550 5.7.1 <{name}@example.net>: not today"
        assert judge(Returned(said=said, refused=Refused.RECIPIENT)).reason is Reason.POLICY


def test_the_report_may_excuse_what_the_reply_accuses() -> None:
    returned = Returned(
        said="550 user unknown",
        around="The account is disabled.",
        refused=Refused.RECIPIENT,
    )

    assert not judge(returned).hard


def test_a_program_that_fails_is_not_an_address_that_is_wrong() -> None:
    said = "procmail: no such user"

    assert not judge(Returned(said=said, status="5.1.1", is_program=True)).hard


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("550 5.1.1 unknown", (550, "5.1.1")),
        ("550-5.7.26 no", (550, "5.7.26")),
        ("554 5.0.0 failed: 550 5.1.1 unknown", (554, "5.1.1")),
        ("Sorry, no mailbox here. (#5.1.1)", (0, "5.1.1")),
        ("host 192.0.2.1 at port 550/tcp, id=550", (0, "")),
        ("nothing", (0, "")),
    ],
)
def test_codes_are_found(text: str, expected: tuple[int, str]) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize("word", ["user ", "sender exceeded mailbox ", "550 5.1. ", "- '", "a@"])
def test_judging_is_linear(word: str) -> None:
    started = time.process_time()

    judge(Returned(said=word * 100_000, around=word * 100_000))

    assert time.process_time() - started < 0.5
