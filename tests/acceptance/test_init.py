"""`mailer init`: what it makes, what it keeps, what it asks."""

from __future__ import annotations

import os
import pty
import select
import stat
import subprocess
import sys
import time
from email import message_from_bytes
from pathlib import Path

import pytest

from mailer.cli.app import main
from mailer.cli.init_answers import machines_timezone
from mailer.settings import load

ANSWERS = (
    "--name",
    "Ünser Brief",
    "--from",
    "Ann <ann@example.com>",
    "--postal-address",
    "1 Road, Town",
)


def mailer(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mailer", *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if "pressrun.db" not in path.name
    }


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_options_answer_everything_and_a_second_time_keeps_everything(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    options = (
        *ANSWERS,
        "--public-url=https://news.example.com/",
        "--relay-host=smtp.example.com",
        "--relay-username=ann",
        "--relay-password-file=secret",
        "--language=pt-BR",
        "--timezone=Asia/Tokyo",
        "--yes",
    )
    first = mailer("init", "news", *options, cwd=tmp_path)

    assert first.returncode == 0, first.stderr
    folder = tmp_path / "news"
    settings = load(folder / "pressrun.toml")
    assert settings.public_url == "https://news.example.com"
    assert (settings.relay.host, settings.relay.port) == ("smtp.example.com", 587)
    assert settings.relay.password is not None
    assert settings.relay.password.get_secret_value() == "hunter2"
    assert "hunter2" not in (folder / "pressrun.toml").read_text()
    assert mode(folder / "pressrun.keys") == 0o600
    assert "lang: pt-BR\n" in (folder / "issue.md").read_text()
    assert first.stdout.count("  mailer ") == 4
    before = snapshot(folder)
    second = mailer("init", "news", *options, cwd=tmp_path)
    assert second.returncode == 0, second.stderr
    assert snapshot(folder) == before
    assert second.stdout.count("kept  ") == 4

    stats = mailer("subscribers", "stats", "--newsletter", "nser-brief", cwd=folder)
    assert "Ünser Brief: 0 would receive" in stats.stdout, stats.stderr


def test_keys_that_are_lost_are_not_made_anew(tmp_path: Path) -> None:
    assert mailer("init", *ANSWERS, "--yes", cwd=tmp_path).returncode == 0
    (tmp_path / "pressrun.keys").unlink()
    again = mailer("init", *ANSWERS, "--yes", cwd=tmp_path)
    assert again.returncode == 2
    assert "restore the file from a backup" in again.stderr
    assert not (tmp_path / "pressrun.keys").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "say --name"),
        (("--name", "x", "--from", "nobody"), "--from: 'nobody' has no @"),
        ((*ANSWERS, "--public-url", "news"), "--public-url: 'news' is no address"),
        ((*ANSWERS, "--public-url", "http://127.0.0.1:99999"), "99999' is no address"),
        ((*ANSWERS, "--timezone", "Mars/Base"), "'Mars/Base' is no time zone"),
        ((*ANSWERS, "--language", "klingon please"), "'klingon please' is no language"),
        ((*ANSWERS, "--slug", "Not So"), "'Not So' is no short name"),
        ((*ANSWERS, "--relay-password-file", "absent"), "there is no file absent"),
    ],
    ids=["nothing", "from", "url", "url-port", "timezone", "language", "slug", "password-file"],
)
def test_a_mistake_is_one_line_and_makes_nothing(
    options: tuple[str, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["mailer", "init", *options, "--yes"])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert words in told
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "port"),
    [("http://127.0.0.1:8123", 8123), ("http://localhost", 8025), ("https://n.example:444", 8025)],
)
def test_the_web_process_listens_where_the_public_url_leads(
    url: str, port: int, tmp_path: Path
) -> None:
    made = mailer("init", *ANSWERS, "--public-url", url, "--yes", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert load(tmp_path / "pressrun.toml").web.port == port


def test_an_issue_for_nobody_is_not_scheduled_and_keeps_its_number(tmp_path: Path) -> None:
    assert mailer("init", *ANSWERS, "--yes", cwd=tmp_path).returncode == 0
    now = ("campaign", "schedule", "issue.md", "--now", "--yes")
    refused = mailer(*now, cwd=tmp_path)
    assert (refused.returncode, refused.stderr.splitlines()[-1]) == (
        2,
        "mailer: Nobody would get it; `mailer subscribers stats` shows whom there is,"
        " and who left.",
    )
    assert mailer("subscribers", "add", "ann@example.com", cwd=tmp_path).returncode == 0
    assert mailer(*now, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("frobnicate",), "No such command 'frobnicate'. See `mailer --help`."),
        (("campaign", "sennd"), "No such command 'sennd'. Did you mean 'resend'? See"),
        (
            ("subscribers", "list", "--nope"),
            "No such option: --nope. See `mailer subscribers list --help`.",
        ),
        (("subscribers", "add"), "Missing argument"),
        (("lanes", "set", "gmail", "--per-second", "many"), "Invalid value for '--per-second'"),
    ],
)
def test_a_mistyped_command_is_told_in_one_line(
    arguments: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    ended = mailer(*arguments, cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("mailer: ")
    assert ended.stderr.count("\n") == 1
    assert told in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize("group", [(), ("campaign",)])
def test_a_group_alone_shows_its_commands(group: tuple[str, ...], tmp_path: Path) -> None:
    ended = mailer(*group, cwd=tmp_path)
    assert "Usage: " in ended.stdout + ended.stderr
    assert "mailer: " not in ended.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&- <&-", "2>&- <&-"])
def test_a_closed_stream_is_no_traceback(closed: str, tmp_path: Path) -> None:
    command = f'"{sys.executable}" -m mailer init {closed}'
    ended = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    said = "" if "2>" in closed else "mailer: say --name: nobody is here to be asked\n"
    assert (ended.stdout, ended.stderr) == ("", said)
    assert list(tmp_path.iterdir()) == []


def test_a_letter_that_the_terminal_lacks_is_no_traceback(tmp_path: Path) -> None:
    made = mailer("init", *ANSWERS, "--name", "Лучшее ü", "--slug", "best", "--yes", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    shown = subprocess.run(
        [sys.executable, "-m", "mailer", "newsletter", "list"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert "\t?????? ü\t" in shown.stdout.decode("latin-1")


@pytest.mark.parametrize(
    ("leads", "zone"),
    [
        ("/usr/share/zoneinfo/Europe/Berlin", "Europe/Berlin"),
        ("/usr/share/zoneinfo/posix/nowhere", "UTC"),
        ("/usr/share/zoneinfo/Etc/UTC", "UTC"),
        ("/etc/somewhere", "UTC"),
    ],
)
def test_the_machines_time_zone_is_what_its_link_names(
    leads: str, zone: str, tmp_path: Path
) -> None:
    link = tmp_path / "localtime"
    link.symlink_to(leads)
    assert machines_timezone(link) == zone


def test_on_a_terminal_it_asks_and_hides_the_password(tmp_path: Path) -> None:
    conversation = [
        ("Name of the newsletter", "My News"),
        ("From, as", "nobody"),
        ("has no @", "Ann <ann@example.com>"),
        ("Postal address", "1 Road, Town"),
        ("Time zone [", "Mars/Base"),
        ("is no time zone", "Asia/Tokyo"),
        ("Public URL", "https://news.example.com"),
        ("Relay (SMTP server)", "smtp.example.com"),
        ("Its port [587]", ""),
        ("Username there", "ann"),
        ("Password there: ", "hunter2"),
        ("Next", ""),
    ]
    seen = converse(conversation, tmp_path)
    assert "hunter2" not in seen
    settings = load(tmp_path / "pressrun.toml")
    assert settings.relay.username == "ann"
    assert settings.relay.password is not None
    assert settings.relay.password.get_secret_value() == "hunter2"
    assert mode(tmp_path / "relay.password") == 0o600


def converse(conversation: list[tuple[str, str]], cwd: Path) -> str:
    """Run `mailer init` on a terminal; answer each question once it is there. Gives the screen."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mailer", "init"],
        cwd=cwd,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    screen, deadline = "", time.monotonic() + 60
    try:
        for question, answer in conversation:
            start = len(screen)
            while question not in screen[max(0, start - len(question)) :]:
                assert time.monotonic() < deadline, screen
                if select.select([ours], [], [], 0.1)[0]:
                    screen += os.read(ours, 4096).decode(errors="replace")
            os.write(ours, f"{answer}\n".encode())
        assert process.wait(30) == 0, screen
    finally:
        process.kill()
        os.close(ours)
    return screen


def test_the_first_issue_lies_in_a_maildir_after_two_commands(tmp_path: Path) -> None:
    assert mailer("init", *ANSWERS, "--yes", cwd=tmp_path).returncode == 0
    to = ("--to", "no-reply@example.com", "--to", "ann@example.com")
    sent = mailer("campaign", "test", "issue.md", *to, "--maildir", "mail", cwd=tmp_path)
    assert sent.returncode == 0, sent.stderr
    assert "look into mail/new" in sent.stdout
    found = [message_from_bytes(each.read_bytes()) for each in (tmp_path / "mail/new").iterdir()]
    assert {each["Delivered-To"] for each in found} == {"no-reply@example.com", "ann@example.com"}
    assert {each.get_content_type() for each in found} == {"multipart/alternative"}

    (tmp_path / "file").write_text("")
    refused = mailer("campaign", "test", "issue.md", *to, "--maildir", "file", cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.endswith("mailer: file can't be made a Maildir: Not a directory\n")
