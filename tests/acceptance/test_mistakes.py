"""Each mistake gets one clear line that names what, where and the remedy; nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailer import resources
from mailer.cli.app import main
from tests.services.process import free_port
from tests.services.smtp import SmtpSink

PEOPLE = ("ann@example.com", "bob@example.com")
CSV = "email,name\nann@example.com,Ann\nbob@example.com,Bob\n"
FRONT = "---\nsubject: Hello\nnumber: 3\nlang: en\n---\n"
SCHEDULE = ("campaign", "schedule", "issue.md", "--yes")
AT = (*SCHEDULE, "--at")
TEST = ("campaign", "test", "issue.md", "--to", "me@example.com")
IMPORT = ("subscribers", "import", "people.csv")
STATS = ("subscribers", "stats")


@dataclass(frozen=True, kw_only=True)
class Told:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    def mistake(self, *words: str, code: int = 2) -> None:
        """Assert one clear line on standard error with these words."""
        assert self.code == code, (self.code, self.err, self.out)
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        assert self.err.startswith("mailer: ")
        for word in words:
            assert word in self.err, self.err


@dataclass(frozen=True, kw_only=True)
class Home:
    """A folder with an installation of two people, and `mailer` in this very process."""

    folder: Path
    patch: pytest.MonkeyPatch
    heard: pytest.CaptureFixture[str]

    def mailer(self, *arguments: str) -> Told:
        """Run a command to its end."""
        self.patch.setattr(sys, "argv", ["mailer", *arguments])
        self.heard.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        said = self.heard.readouterr()
        assert isinstance(code, int)
        return Told(code=code, out=said.out, err=said.err)

    def write(self, name: str, text: str | bytes) -> None:
        """Write a file of the installation anew."""
        content = text if isinstance(text, bytes) else text.encode()
        (self.folder / name).write_bytes(content)

    def configure(self, text: str) -> None:
        """Put lines before the settings."""
        self.write("pressrun.toml", text + (self.folder / "pressrun.toml").read_text())

    def relay(self, lines: str) -> None:
        """Replace the settings of the relay."""
        head, _, tail = (self.folder / "pressrun.toml").read_text().partition("[relay]")
        self.write("pressrun.toml", f"{head}[relay]\n{lines}\n[web]{tail.partition('[web]')[2]}")

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        """Ask or change the database behind the program's back."""
        file = sqlite3.connect(self.folder / "pressrun.db")
        with file:
            rows = file.execute(statement).fetchall()
        file.close()
        return rows

    def people(self) -> list[object]:
        """Who is subscribed."""
        return [row[0] for row in self.sql("SELECT address FROM subscribers ORDER BY id")]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One installation, to be copied."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "people.csv").write_text(CSV)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PRESSRUN_")}
    for arguments in (
        (
            *("init", "--name", "Weekly", "--from", "Ann <ann@example.com>", "--yes"),
            *("--postal-address", "1 Road, Town", "--relay-host", "127.0.0.1"),
        ),
        IMPORT,
    ):
        command = [sys.executable, "-m", "mailer", *arguments]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return folder


@pytest.fixture
def home(
    installed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Home:
    folder = tmp_path / "home"
    shutil.copytree(installed, folder)
    for name in [name for name in os.environ if name.startswith("PRESSRUN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(folder)
    made = Home(folder=folder, patch=monkeypatch, heard=capsys)
    made.relay(f'host = "127.0.0.1"\nport = {free_port()}')
    return made


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
def test_public_url_that_would_make_dead_links(
    home: Home, host: str, url: str, words: str
) -> None:
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
        (b"PK\x03\x04" + b"\0" * 500, "people.csv is no text; export it as CSV"),
    ],
    ids=["absent", "empty", "names", "no-header", "twice", "binary", "spreadsheet"],
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


# -- issues --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "issue.md:1:1: error: the front matter is missing"),
        (b"\xff\xfe\0", "issue.md:1:1: error: not UTF-8"),
        ("---\nsubject: x\n", "issue.md:1:1: error: the front matter is not closed"),
        ("---\nsubject: 'x\n---\nhi", "issue.md:2:12: error: not valid YAML"),
        ("---\nnumber: 3\n---\nhi", "issue.md:1:1: error: the subject is missing"),
        ("---\nsubject: x\nsubjekt: y\n---\nhi", "issue.md:3:1: error: unknown key 'subjekt'"),
        ("---\nsubject: x\nnumber: -1\n---\nhi", "issue.md:3:9: error: number"),
        ("---\nsubject: x\ndate: 2026-13-01\n---\nhi", "issue.md:3:7: error: date"),
        (FRONT, "the issue is empty; write something below"),
        (FRONT + "a\0b\n", "issue.md:6:2: error: control character U+0000; remove it"),
        (FRONT + "{{ subscriber.password }}\n", "issue.md:6:1: error: unknown merge field"),
        (FRONT + "Hello {{ subscriber.name\n", "issue.md:6:7: error: this {{ is never closed"),
        (FRONT + "{% if subscriber.name %}\n", "issue.md:6:1: error: this condition is not closed"),
        (FRONT + "[a](b.html)\n", "issue.md:6:5: error: relative link"),
        (FRONT + "[](https://example.com)\n", "issue.md:6:4: error: this link has no text"),
        (FRONT + "[a](javascript:x)\n", "issue.md:6:5: error: javascript: can't stand in mail"),
        (FRONT + "::nope[x]\n", "issue.md:6:1: error: unknown directive ::nope"),
        (FRONT + ">" * 3000 + " x\n", "issue.md:6:1: error: nested too deep"),
    ],
    ids=range(18),
)
def test_an_issue(home: Home, text: str | bytes, words: str) -> None:
    home.write("issue.md", text)
    home.mailer(*SCHEDULE, "--now").mistake(words)
    assert home.sql("SELECT count(*) FROM campaigns") == [(0,)]


def test_every_mistake_of_an_issue_is_told_at_once(home: Home) -> None:
    home.write("issue.md", FRONT + "[a](b.html)\n\n[](https://example.com)\n")
    told = home.mailer("issue", "check", "issue.md")
    assert told.code == 2
    assert [line.split(": ")[0] for line in told.out.splitlines()] == [
        "issue.md:6:5",
        "issue.md:8:4",
    ]


def test_an_issue_that_is_absent(home: Home) -> None:
    told = home.mailer("campaign", "schedule", "nope.md", "--now", "--yes")
    told.mistake("nope.md: there is no such file", "mailer issue new nope.md")


def test_a_theme_that_is_absent(home: Home) -> None:
    home.sql("UPDATE newsletters SET theme = 'nope'")
    told = home.mailer(*SCHEDULE, "--now")
    told.mistake("there is no theme 'nope'; there are digest")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("layout.mjml.j2", "<mjml>{{ nobody.knows }}</mjml>", ("layout.mjml.j2:1:1", "nobody")),
        ("layout.mjml.j2", "<mjml>{% if %}", ("layout.mjml",)),
        ("layout.mjml.j2", "<mjml><mj-body>", ("layout.mjml",)),
        ("brand.toml", "colours = ", ("brand.toml",)),
    ],
)
def test_a_theme_that_is_broken(home: Home, name: str, text: str, words: tuple[str, ...]) -> None:
    theme = home.folder / "themes" / "broken"
    shutil.copytree(resources.templates() / "issue" / "digest", theme)
    (theme / name).write_text(text)
    home.sql("UPDATE newsletters SET theme = 'broken'")
    home.mailer(*SCHEDULE, "--now").mistake(*words)
    assert home.sql("SELECT count(*) FROM campaigns") == [(0,)]


# -- campaigns -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (SCHEDULE, "say when"),
        ((*AT, "tomorrow"), "write it as 2026-12-01 09:00"),
        ((*AT, "2020-03-28 02:30"), "is past; add --now"),
        ((*AT, "9999-12-31 23:59"), "out of range"),
        ((*AT, "2099-12-01 09:00", "--timezone", "Mars/Base"), "Europe/Berlin or Asia/Tokyo"),
        (
            (*AT, "2027-03-28 02:30", "--timezone", "Europe/Berlin"),
            "does not exist in Europe/Berlin: clocks go forward over it;"
            " the next that does is 2027-03-28 03:30",
        ),
        ((*AT, "2027-10-31 02:30", "--timezone", "Europe/Berlin"), "say --earlier or --later"),
        (("campaign", "schedule", "issue.md", "--now"), "Nobody is here to answer: add --yes"),
        (("campaign", "status", "77"), "no campaign 77; `mailer campaign list`"),
        (("campaign", "status", "9" * 30), "`mailer campaign list`"),
        (("campaign", "pause", "77"), "`mailer campaign list`"),
        (("campaign", "pause"), "a campaign's number, or --all"),
        (("campaign", "resume", "77"), "`mailer campaign list`"),
        (("campaign", "cancel", "77", "--yes"), "`mailer campaign list`"),
        (("campaign", "report", "77"), "`mailer campaign list`"),
        (("campaign", "audit", "77"), "`mailer campaign list`"),
        (("campaign", "explain", "ann@example.com", "77"), "`mailer campaign list`"),
        (("campaign", "explain", "nobody", "77"), "has no @"),
        (("campaign", "test", "issue.md", "--to", "nobody"), "has no @"),
    ],
    ids=lambda value: "-".join(value[1:])[:60] if isinstance(value, tuple) else "",
)
def test_campaigns(home: Home, command: tuple[str, ...], words: str) -> None:
    home.mailer(*command).mistake(words)
    assert home.sql("SELECT count(*) FROM campaigns") == [(0,)]


def test_json_parses(home: Home) -> None:
    assert json.loads(home.mailer(*SCHEDULE, "--now", "--json").out)["campaign"] == 1
    for command in (
        STATS,
        ("subscribers", "show", "ann@example.com"),
        ("issue", "check", "issue.md"),
        *(("campaign", what, "1") for what in ("status", "report", "audit")),
        ("campaign", "list"),
        ("campaign", "explain", "ann@example.com", "1"),
    ):
        told = home.mailer(*command, "--json")
        json.loads(told.out)
        assert told.err == ""


# -- relays, ports and pipes ---------------------------------------------------------------------


def test_a_relay_that_is_out_of_reach(home: Home) -> None:
    home.mailer(*TEST).mistake("me@example.com", "127.0.0.1", "relay", code=1)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('username = "ann"\npassword = "hunter2"', ("password", "[relay]")),
        ('username = "ann"\npassword = "right"\ntls = "starttls"', ("STARTTLS",)),
    ],
    ids=["password", "starttls"],
)
def test_a_relay_that_refuses_us(home: Home, lines: str, words: tuple[str, ...]) -> None:
    sink = SmtpSink(login=("ann", "right"))
    sink.start()
    try:
        home.relay(f'host = "127.0.0.1"\nport = {sink.port}\n{lines}')
        told = home.mailer(*TEST)
        told.mistake("me@example.com", *words, code=1)
        assert "hunter2" not in told.err
        home.relay(
            f'host = "127.0.0.1"\nport = {sink.port}\nusername = "ann"\npassword = "right"'
        )
        assert home.mailer(*TEST).code == 0
    finally:
        sink.stop()
    assert [mail.recipients for mail in sink.received] == [("me@example.com",)]


@pytest.mark.timeout(90)
def test_a_campaign_waits_for_the_right_password_and_then_goes_on(home: Home) -> None:
    sink = SmtpSink(login=("ann", "right"))
    sink.start()
    lines = f'host = "127.0.0.1"\nport = {sink.port}\nusername = "ann"\npassword = '
    try:
        home.relay(f'{lines}"hunter2"')
        assert home.mailer(*SCHEDULE, "--now").code == 0
        with serving(home):
            wait(lambda: home.sql("SELECT state FROM campaigns") == [("paused",)])
        told = home.mailer("campaign", "status", "1").out
        assert "paused because: " in told
        assert "password" in told
        assert "hunter2" not in told
        assert "mailer campaign resume 1" in told
        assert sink.received == []
        home.relay(f'{lines}"right"')
        assert home.mailer("campaign", "resume", "1").code == 0
        with serving(home):
            wait(lambda: home.sql("SELECT state FROM campaigns") == [("finished",)])
    finally:
        sink.stop()
    assert sorted(mail.recipients[0] for mail in sink.received) == [*PEOPLE]
    assert home.mailer("campaign", "audit", "1").code == 0


@contextmanager
def serving(home: Home) -> Iterator[None]:
    """`mailer serve` as a process, asked to end afterwards."""
    command = [sys.executable, "-m", "mailer", "serve", "--port", "0"]
    with (home.folder / "serve.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(30) == 0, (home.folder / "serve.log").read_text()


def wait(until: Callable[[], bool]) -> None:
    """Wait until it is so; the test fails where it takes too long."""
    deadline = time.monotonic() + 30
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("command", ["web", "serve"])
def test_a_port_in_use(home: Home, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        home.mailer(command, "--port", str(port)).mistake(f"127.0.0.1:{port}", "--port")


def test_a_port_that_does_not_exist(home: Home) -> None:
    told = home.mailer("web", "--port", "99999")
    assert told.code == 2
    assert "--port" in told.err
    assert "65535" in told.err


@pytest.mark.parametrize(
    ("command", "words", "code"),
    [
        (("issue", "render", "issue.md", "--out", "issue.md/x"), "issue.md/x can't be written", 1),
        (("init", "/proc/x", "--name", "W", "--from", "a@example.com", "--yes"), "/proc/x", 2),
    ],
    ids=["render", "init"],
)
def test_a_folder_that_can_not_be_written(
    home: Home, command: tuple[str, ...], words: str, code: int
) -> None:
    if command[0] == "init":
        command = (*command, "--postal-address", "1 Road")
    home.mailer(*command).mistake(words, code=code)


def test_a_closed_pipe_is_no_drama(home: Home) -> None:
    home.write("many.csv", "email\n" + "".join(f"p{n}@example.com\n" for n in range(5000)))
    assert home.mailer("subscribers", "import", "many.csv").code == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "mailer", "subscribers", "export"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    words = process.stderr.read()
    process.stderr.close()
    assert process.wait(20) in (0, 1)
    assert words == b""


def test_the_real_command_says_it_too(home: Home) -> None:
    home.write("pressrun.toml", 'publik_url = "x"\n')
    done = subprocess.run(
        [sys.executable, "-m", "mailer", *STATS], capture_output=True, text=True, check=False
    )
    Told(code=done.returncode, out=done.stdout, err=done.stderr).mistake("publik_url")
