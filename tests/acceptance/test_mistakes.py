"""Each mistake gets one clear line that names what, where and the remedy; nothing is lost."""

from __future__ import annotations

import pytest

from tests.acceptance.home import CSV, IMPORT, PEOPLE, SCHEDULE, STATS, Home
from tests.services.process import free_port

# -- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('public_url = "x\n', ("pressrun.toml", "not valid TOML", "line 1")),
        (b"\xff\xfe\0", ("pressrun.toml", "can't be read")),
        ('publik_url = "x"', ("pressrun.toml: publik_url", "no such setting", "docs/settings.md")),
        ('[relay]\nhots = "x"', ("relay.hots", "no such setting")),
        ('[relay]\nport = "abc"', ("relay.port", "integer")),
        ("[relay]\nport = 0", ("relay.port", "greater")),
        ("relay = 5", ("relay", "dictionary")),
        ('public_url = "nope"', ("public_url", "http or https URL")),
        ('database_url = "mysql://x"', ("database_url", "must start with sqlite:/// or")),
        (
            'database_url = "postgresql+psycopg://h:port/x"',
            ("database_url", "port must be a number"),
        ),
        ('broker_url = "kafka://h"', ("broker_url", "redis:// or amqp://")),
        ('broker_url = "redis://h:port/0"', ("broker_url", "port must be a number")),
    ],
    ids=str,
)
def test_settings_file(home: Home, text: str | bytes, words: tuple[str, ...]) -> None:
    home.write("pressrun.toml", text)
    home.mailer(*STATS).mistake("pressrun.toml", *words)


def test_settings_file_that_is_absent(home: Home) -> None:
    home.mailer("--config", "nope.toml", *STATS).mistake("nope.toml", "mailer init")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("WEB__PORT", "abc", "integer"),
        ("RELAY__HOTS", "x", "no such setting"),
        ("RELAY", "abc", "JSON"),
        ("RELAY", "[1]", "dictionary"),
        ("RELAY__HEADERS", "abc", "JSON"),
        ("DATABASE_URL_FILE", "/nope", "can't read /nope"),
    ],
)
def test_variables(home: Home, name: str, value: str, words: str) -> None:
    home.patch.setenv(f"PRESSRUN_{name}", value)
    home.mailer(*STATS).mistake(f"PRESSRUN_{name}", words)


@pytest.mark.parametrize("text", [None, "rubbish", b"\xff\0"], ids=["absent", "text", "binary"])
def test_keys(home: Home, text: str | bytes | None) -> None:
    (home.folder / "pressrun.keys").unlink()
    if text is not None:
        home.write("pressrun.keys", text)
    home.mailer("worker").mistake("keys", "restore the file from a backup")


@pytest.mark.parametrize(
    ("host", "url", "words"),
    [
        ("smtp.example.com", "http://127.0.0.1:8025", "one-click unsubscribe needs https"),
        ("smtp.example.com", "https://localhost", "every unsubscribe link would be dead"),
        ("smtp.example.com", "https://10.0.0.7", "every unsubscribe link would be dead"),
    ],
)
def test_public_url_that_would_make_dead_links(home: Home, host: str, url: str, words: str) -> None:
    home.relay(f'host = "{host}"')
    home.patch.setenv("PRESSRUN_PUBLIC_URL", url)
    home.mailer(*SCHEDULE, "--now").mistake("public_url", url, words, "pressrun.toml")
    assert home.sql("SELECT count(*) FROM campaigns") == [(0,)]


# -- database ------------------------------------------------------------------------------------


def forget_database(home: Home) -> None:
    for file in home.folder.glob("pressrun.db*"):
        file.unlink()


def test_no_database_is_said_and_none_is_made(home: Home) -> None:
    forget_database(home)
    home.mailer(*STATS).mistake("pressrun.db", "mailer init", code=1)
    assert not (home.folder / "pressrun.db").exists()


def test_an_empty_database(home: Home) -> None:
    forget_database(home)
    home.write("pressrun.db", b"")
    home.mailer(*STATS).mistake("pressrun.db", "mailer db upgrade", code=1)


@pytest.mark.parametrize("command", [STATS, ("db", "upgrade"), ("worker",)], ids=str)
def test_a_file_that_is_no_database(home: Home, command: tuple[str, ...]) -> None:
    forget_database(home)
    home.write("pressrun.db", "no database " * 500)
    home.mailer(*command).mistake("pressrun.db", "not a database", "backup", code=1)
    assert (home.folder / "pressrun.db").read_text() == "no database " * 500


@pytest.mark.parametrize("command", [STATS, ("db", "upgrade"), ("worker",), ("web",)], ids=str)
def test_a_database_from_a_newer_version(home: Home, command: tuple[str, ...]) -> None:
    home.sql("UPDATE alembic_version SET version_num = '9999'")
    home.mailer(*command).mistake("pressrun.db", "newer Pressrun", "upgrade", code=1)
    assert home.sql("SELECT version_num FROM alembic_version") == [("9999",)]


def test_a_folder_that_is_absent(home: Home) -> None:
    home.patch.setenv("PRESSRUN_DATABASE_URL", "sqlite:////nope/pressrun.db")
    home.mailer("db", "upgrade").mistake("/nope/pressrun.db", "database_url", code=1)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql+psycopg://ann:hunter2@127.0.0.1:{port}/news", "refused"),
        ("postgresql+psycopg://ann:hunter2@127.0.0.1:{port}/news?foo=bar", "foo"),
    ],
)
def test_postgres_that_is_out_of_reach(home: Home, url: str, words: str) -> None:
    home.patch.setenv("PRESSRUN_DATABASE_URL", url.format(port=free_port()))
    told = home.mailer(*STATS)
    told.mistake("127.0.0.1", words, "PRESSRUN_DATABASE_URL", code=1)
    assert "hunter2" not in told.err


# -- people --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "people.csv: can't be read"),
        ("", "people.csv is empty; its first line should name the columns"),
        ("Ann,Smith\n", "people.csv:1: no column is named email"),
        ("cid@example.com,Cid\n", "people.csv:1: the first line is a person"),
        ("email,Email\na@example.com,b@example.com\n", "people.csv:1:2: two columns mean email"),
        (bytes(range(256)) * 20, "people.csv is no text; export it as CSV"),
        (b"PK\x03\x04" + b"\0" * 500, "people.csv is a zip that can't be read"),
    ],
    ids=["absent", "empty", "names", "no-header", "twice", "binary", "torn"],
)
def test_a_csv_that_is_none(home: Home, content: str | bytes | None, words: str) -> None:
    (home.folder / "people.csv").unlink()
    if content is not None:
        home.write("people.csv", content)
    home.mailer(*IMPORT).mistake(words)
    assert home.people() == [*PEOPLE]


def test_bad_rows_are_told_by_line_and_the_others_come_in(home: Home) -> None:
    home.write("people.csv", b'email,name\nnobody,N\ncid@example.com,C\nd@example.com,D\0\n"x\n')
    told = home.mailer(*IMPORT)
    assert told.code == 0
    assert "3 refused" in told.out
    assert [line.split(" ")[0] for line in told.err.splitlines()] == [
        "people.csv:2:",
        "people.csv:4:",
        "people.csv:5:",
    ]
    assert home.people() == [*PEOPLE, "cid@example.com"]


def test_refused_rows_do_not_overwrite_the_file_they_come_from(home: Home) -> None:
    home.mailer(*IMPORT, "--refused", "./people.csv").mistake("--refused", "name another")
    assert (home.folder / "people.csv").read_text() == CSV


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("add", "nobody"), "'nobody' has no @; write it like name@example.org"),
        (("add", "a b@example.com"), "has a blank or an invisible character"),
        (("add", "cid@example.com", "--timezone", "Mars/Base"), "write one such as Europe/Berlin"),
        (("add", "cid@example.com", "--attribute", "plan"), "write NAME=VALUE"),
        (("show", "cid@example.com"), "mailer subscribers list"),
        (("unsubscribe", "cid@example.com"), "mailer subscribers list"),
        (("remove", "ann@example.com"), "add --yes"),
        (("stats", "--newsletter", "daily"), "no newsletter 'daily'; there are: weekly"),
        (("export", "nope/people.csv"), "nope/people.csv: can't be written"),
        (("import", "people.csv", "--refused", "nope/x.csv"), "nope/x.csv: can't be written"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_people(home: Home, command: tuple[str, ...], words: str) -> None:
    home.mailer("subscribers", *command).mistake(words)
    assert home.people() == [*PEOPLE]
