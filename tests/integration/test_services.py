"""The servers that the other tests rely on do what is said of them."""

import smtplib
import socket
from pathlib import Path

import dramatiq
import pytest
from sqlalchemy import create_engine, inspect, text

from mailer.queue.broker import make_broker
from subscribers.database import metadata
from tests.services import sink
from tests.services.postgres import PostgresServer
from tests.services.sink import Behaviour
from tests.services.smtp import SmtpSink

MESSAGE = b"Message-ID: <1@x>\r\nSubject: a\r\n b\r\n\r\n.dot\r\n..\r\n.\r\nend\r\n"


def send(port: int, recipient: str, *, message: bytes = MESSAGE) -> tuple[int, bytes]:
    with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
        client.ehlo()
        client.mail("from@example.org")
        code, words = client.rcpt(recipient)
        return (code, words) if code != 250 else client.data(message)


def test_a_fresh_database_has_all_tables_and_nothing_in_them(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        assert set(metadata.tables) <= set(inspect(connection).get_table_names())
        for name in metadata.tables:
            assert connection.scalar(text(f'SELECT count(*) FROM "{name}"')) == 0
    engine.dispose()


def test_an_empty_database_has_no_table(empty_database_url: str) -> None:
    engine = create_engine(empty_database_url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_postgres_comes_back_after_a_crash_with_what_was_committed(
    durable_postgres: PostgresServer,
) -> None:
    engine = create_engine(durable_postgres.url(durable_postgres.create()), pool_pre_ping=True)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept AS SELECT 1 AS one"))
    durable_postgres.restart()
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT one FROM kept")) == 1
        assert connection.scalar(text("SHOW fsync")) == "on"
    engine.dispose()


def test_dramatiq_speaks_to_each_broker_until_it_is_wiped(
    broker_url: str | None, request: pytest.FixtureRequest
) -> None:
    broker = make_broker(broker_url)
    broker.declare_queue("chunks")
    for number in (1, 2):
        broker.enqueue(
            dramatiq.Message(
                queue_name="chunks", actor_name="a", args=(number,), kwargs={}, options={}
            )
        )
    consumer = broker.consume("chunks", timeout=1000)
    message = next(consumer)
    assert message is not None
    assert message.args == (1,)
    consumer.ack(message)
    consumer.close()
    broker.close()
    if broker_url:
        kind = "redis" if broker_url.startswith("redis") else "rabbitmq"
        request.getfixturevalue(f"{kind}_server").wipe()
        again = make_broker(broker_url)
        again.declare_queue("chunks")
        consumer = again.consume("chunks", timeout=100)
        assert next(consumer) is None
        consumer.close()
        again.close()


def test_the_sink_in_a_thread_answers_as_scripted_and_keeps_mail(smtp_sink: SmtpSink) -> None:
    smtp_sink.answer("gone@example.org", "550 5.1.1 gone…")
    smtp_sink.answer("busy@example.org", "451 4.2.1 busy")
    smtp_sink.answer("odd@example.org", "552 5.2.2 full", phase="reply")
    replies = [
        send(smtp_sink.port, f"{name}@example.org")[0]
        for name in ("gone", "gone", "busy", "busy", "odd", "odd", "ann")
    ]
    assert replies == [550, 550, 451, 250, 552, 250, 250]
    assert [mail.content for mail in smtp_sink.copies("ann@example.org")] == [MESSAGE]


def test_the_sink_in_a_thread_can_drop_the_connection(smtp_sink: SmtpSink) -> None:
    smtp_sink.answer("ann@example.org", "drop", phase="reply")
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        send(smtp_sink.port, "ann@example.org")
    assert smtp_sink.received == []


def test_the_sink_process_logs_before_it_confirms(tmp_path: Path) -> None:
    log = tmp_path / "sink.jsonl"
    with sink.running(log) as (port, _):
        replies = [
            send(port, f"{name}@example.org") for name in ("ann", "no-one", "later-x", "later-x")
        ]
        accepted = sink.read_log(log)
    assert [code for code, _ in replies] == [250, 550, 451, 250]
    assert [mail.rcpt for mail in accepted] == ["ann@example.org", "later-x@example.org"]
    assert accepted[0].message_id == "<1@x>"
    assert accepted[0].headers == {"subject": "a b"}
    assert accepted[0].size == len(MESSAGE)


@pytest.mark.parametrize(
    ("behaviour", "logged"),
    [
        pytest.param(Behaviour(drop_before=1.0), 0, id="before the line"),
        pytest.param(Behaviour(drop_after=1.0), 1, id="after the line"),
    ],
)
def test_the_sink_process_can_vanish_at_the_final_dot(
    tmp_path: Path, behaviour: Behaviour, logged: int
) -> None:
    log = tmp_path / "sink.jsonl"
    with sink.running(log, behaviour=behaviour) as (port, _):
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
            send(port, "ann@example.org")
        assert len(sink.read_log(log)) == logged


def test_the_sink_process_takes_pipelined_commands_and_an_empty_body(tmp_path: Path) -> None:
    log = tmp_path / "sink.jsonl"
    with (
        sink.running(log, behaviour=Behaviour(delay=0.05)) as (port, _),
        socket.create_connection(("127.0.0.1", port), timeout=5) as client,
    ):
        one = b"MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nDATA\r\n"
        client.sendall(b"EHLO me\r\n" + one + b".\r\n" + one + b"Hi: x\r\n\r\n..\r\n.\r\nQUIT\r\n")
        replies = b"".join(iter(lambda: client.recv(4096), b""))
    codes = [line[:3] for line in replies.split(b"\r\n") if line[3:4] == b" "]
    assert codes == [b"220", b"250", *([b"250", b"250", b"354", b"250"] * 2), b"221"]
    assert [mail.size for mail in sink.read_log(log)] == [0, len(b"Hi: x\r\n\r\n.\r\n")]
