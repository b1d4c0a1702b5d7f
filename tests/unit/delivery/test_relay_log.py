"""A relay's log proves what was taken over, and nothing else."""

from __future__ import annotations

import pytest

from mailer.delivery.repair.relay_log import taken

TOKENS = {f"{'Tok_en-' * 4}{number:06d}": number for number in range(1, 7)}
ONE, TWO, THREE = (name for name in list(TOKENS)[:3])
NAMES = {**TOKENS, "b-abcdefghijklmnopqrstuvwx": 6}


def at(service: str, text: str) -> str:
    return f"Dec  1 09:00:01 mx postfix/{service}[4711]: {text}\n"


def test_taken_over_means_more_than_a_line_of_cleanup() -> None:
    log = [
        at("cleanup", f"4XyZ12a: message-id=<{ONE}@news.example>"),
        at("qmgr", "4XyZ12a: from=<news@news.example>, size=4242, nrcpt=1 (queue active)"),
        # The connection was lost before the final dot.
        at("cleanup", f"4XyZ12b: message-id=<{TWO}@news.example>"),
        at("smtpd", "lost connection after DATA (43 bytes) from localhost[127.0.0.1]"),
    ]
    assert taken(log, NAMES) == {1: "the relay's log has it as 4XyZ12a"}


def test_the_order_of_lines_does_not_matter() -> None:
    log = [
        at("smtp", "4XyZ12a: to=<a@b.example>, relay=mx.b.example[192.0.2.1]:25, status=sent"),
        at("cleanup", f"4XyZ12a: message-id=<{ONE}@news.example>"),
    ]
    assert taken(log, NAMES) == {1: "the relay's log has it as 4XyZ12a"}


def test_a_queue_id_of_another_message_proves_nothing() -> None:
    log = [
        at("cleanup", f"4XyZ12a: message-id=<{ONE}@news.example>"),
        at("qmgr", "4XyZ12c: from=<news@news.example>, size=4242, nrcpt=1 (queue active)"),
    ]
    assert taken(log, NAMES) == {}


def test_our_return_path_in_the_queue_is_proof_by_itself() -> None:
    log = [at("qmgr", "4XyZ12d: from=<B-ABCDEFGHIJKLMNOPQRSTUVWX@in.example>, size=9, nrcpt=1")]
    assert taken(log, NAMES) == {6: "the relay's log has it as 4XyZ12d"}


def test_other_instances_of_postfix_are_known() -> None:
    log = [
        "2026-12-01T09:00:01+00:00 mx postfix-out/submission/cleanup[1]: "
        f"4XyZ12e: message-id=<{THREE}@n.example>",
        "2026-12-01T09:00:01+00:00 mx postfix-out/qmgr[1]: 4XyZ12e: from=<n@n.example> (queue)",
    ]
    assert set(taken(log, NAMES)) == {3}


@pytest.mark.parametrize(
    "line", [f"<{TWO}@news.example>\n", f"{TWO}\n", f'{{"messageId": "{TWO}@x", "event": 1}}\n']
)
def test_a_plain_list_is_believed(line: str) -> None:
    assert taken(["# taken by the relay\n", line], NAMES) == {2: "named in the relay's list"}


def test_what_is_not_ours_is_passed_over() -> None:
    log = ["", "\x00\xff\n", "<someone-elses-message-id-0001@x>\n", at("qmgr", "")]
    assert taken(log, NAMES) == {}
