"""Answers that programs and absent people send, in the languages that programs speak."""

from __future__ import annotations

import pytest

from mailer.feedback.understand import understand
from mailer.feedback.understood import Kind

SUBJECTS = (
    "Automatic reply: May",
    "Out of Office: May",
    "AUTO: Jane is out of the office (returning 05/01/2027)",
    "Re: May (out of office)",
    "On vacation until Monday",
    "I'm away",
    "Annual leave",
    "[Auto-Reply] May",
    "Abwesenheitsnotiz: Mai",
    "Automatische Antwort: Mai",
    "Ich bin nicht im Büro",
    "Im Urlaub",
    "Réponse automatique : mai",
    "Absence du bureau",
    "Respuesta automática: mayo",
    "Fuera de la oficina",
    "Ausente",
    "Risposta automatica: maggio",
    "Fuori ufficio",
    "Resposta automática: maio",
    "Ausência temporária",
    "Automatisch antwoord: mei",
    "Afwezig",
    "Autosvar: maj",
    "Automatisk svar: maj",
    "Fraværende",
    "Automaattinen vastaus: toukokuu",
    "Odpowiedź automatyczna: maj",
    "Automatická odpověď: květen",
    "Automatikus válasz: május",
    "Răspuns automat: mai",
    "Автоматический ответ: май",
    "Автоматична відповідь: травень",
    "Αυτόματη απάντηση: Μάιος",
    "Otomatik Yanıt: Mayıs",
    "Balasan otomatis: Mei",
    "Tự động trả lời: tháng năm",
    "ตอบกลับอัตโนมัติ: พฤษภาคม",
    "תשובה אוטומטית: מאי",
    "رد تلقائي: مايو",
    "자동 회신: 5월",
    "【自動返信】5月",
    "不在通知",
    "自动回复:五月",
    "自動回覆: 五月",
)
HEADERS = (
    "Auto-Submitted: auto-replied (vacation)",
    "X-Autoreply: yes",
    "Precedence: auto_reply",
    "X-Auto-Response-Suppress: All",
    "Delivered-To: Autoresponder",
    "Preference: autoreply",
    "X-POST-MessageClass: 9; Autoresponder",
    "X-Apple-Action: vacation",
    "X-Mailer: vacation 1.2",
)


def answer(*, subject: str = "Re: May", header: str = "X-Nothing: here", sender: str = "") -> bytes:
    return (
        f"From: {sender or 'reader@example.net'}\nTo: news@news.example\n{header}\n"
        f"Subject: {subject}\nContent-Type: text/plain; charset=utf-8\n\n"
        "reader@example.net no longer exists, user unknown. 550 5.1.1\n"
    ).encode()


@pytest.mark.parametrize("subject", SUBJECTS)
def test_an_answer_is_known_by_its_subject(subject: str) -> None:
    understood = understand(answer(subject=subject))

    assert understood.kind is Kind.AUTO_REPLY
    assert not any(report.hard for report in understood.recipients)


@pytest.mark.parametrize("header", HEADERS)
def test_an_answer_is_known_by_its_header(header: str) -> None:
    assert understand(answer(header=header)).kind is Kind.AUTO_REPLY


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_servers_address_over_it_makes_no_bounce_of_it(subject: str) -> None:
    assert understand(answer(subject=subject, sender="postmaster@example.net")).kind is (
        Kind.AUTO_REPLY
    )


def test_a_report_that_calls_itself_replied_is_still_a_report() -> None:
    """Postfix marks its reports so (RFC 3834)."""
    report = answer(
        subject="Undelivered Mail Returned to Sender",
        header="Auto-Submitted: auto-replied",
        sender="MAILER-DAEMON@relay.example",
    )

    assert understand(report).kind is Kind.BOUNCE
