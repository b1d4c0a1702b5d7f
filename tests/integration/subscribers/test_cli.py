"""`mailer subscribers` as somebody types it, in a pipe."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailer.cli.app import main
from subscribers import queries
from subscribers.database import Database
from subscribers.model import Newsletter
from subscribers.token import Keyring


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended and what it said."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def mailer(
    sqlite_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run `mailer subscribers …` in a directory with a database, keys and one newsletter."""
    (tmp_path / "pressrun.keys").write_text(Keyring.generate().to_text(), encoding="utf-8")
    newsletter = Newsletter(
        id=0,
        slug="weekly",
        name="Weekly",
        from_name="Ed",
        from_address="ed@example.org",
        postal_address="1 Quay Street",
        url="https://example.org",
    )
    database = Database(sqlite_url)
    with database.write() as session:
        queries.add_newsletter(session, newsletter, now=datetime.now(UTC))
    database.dispose()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRESSRUN_DATABASE_URL", sqlite_url)

    def run(*arguments: str, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "argv", ["mailer", "subscribers", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Done(returncode=int(ended.value.code or 0), stdout=said.out, stderr=said.err)

    return run


def test_a_person_from_joining_to_erasure(mailer: Run) -> None:
    assert mailer("attributes", "add", "plan").returncode == 0
    added = mailer("add", "Ada@example.org", "--name", "Ada", "--attribute", "plan=pro")
    assert (added.returncode, added.stdout) == (0, "Ada@example.org: confirmed (weekly)\n")
    shown = json.loads(mailer("show", "ada@example.org", "--json").stdout)
    assert shown["subscriber"]["attributes"] == {"plan": "pro"}
    assert shown["subscriptions"][0]["status"] == "active"
    assert mailer("unsubscribe", "ada@example.org").stdout == "ada@example.org: unsubscribed\n"
    listed = mailer("list", "--status", "unsubscribed", "--json").stdout.splitlines()
    assert [json.loads(line)["subscriber"]["address"] for line in listed] == ["Ada@example.org"]
    asked = mailer("remove", "ada@example.org")
    assert asked.returncode == 2
    assert "--yes" in asked.stderr
    assert mailer("remove", "ada@example.org", "--yes").stdout == "erased\n"
    again = mailer("add", "ada@example.org")
    assert again.returncode == 2
    assert "must not be mailed (erased)" in again.stderr


def test_an_import_tells_each_bad_row_and_the_sum(mailer: Run, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("email,name\nada@x.org,Ada\nnobody,No\n[b]@x.org,=1\n", encoding="utf-8")
    tried = mailer("import", "people.csv", "--dry-run", "--json")
    assert json.loads(tried.stdout)["added"] == 1
    done = mailer("import", "people.csv", "--refused", "refused.csv")
    assert done.returncode == 0
    assert done.stdout == "3 rows: 1 added, 0 updated, 0 unchanged, 2 refused\n"
    assert done.stderr.splitlines() == [
        "people.csv:3: 'nobody' has no @; write it like name@example.org",
        "people.csv:4: '[b]@x.org' has '[' before the @; remove it, keep the bare address",
    ]
    assert "[b]@x.org,'=1" in (tmp_path / "refused.csv").read_text(encoding="utf-8")
    stats = json.loads(mailer("stats", "--json").stdout)
    assert stats["counts"]["people"]["active"] == stats["audience"]["size"] == 1


def test_people_pass_through_a_pipe(mailer: Run) -> None:
    assert mailer("import", "-", stdin="email\na@x.org\nb@x.org\n").returncode == 0
    exported = mailer("export").stdout
    assert exported.splitlines()[1].startswith("a@x.org,")
    assert "2 unchanged" in mailer("import", "-", stdin=exported).stdout
    lines = mailer("export", "--json").stdout.splitlines()
    assert [json.loads(line)["email"] for line in lines] == ["a@x.org", "b@x.org"]


MISTAKES = {
    "no such file": (("import", "nowhere.csv"), "nowhere.csv: can't be read"),
    "no such newsletter": (("list", "-n", "daily"), "there are: weekly"),
    "nobody": (("show", "nobody@x.org"), "nobody here has the address nobody@x.org"),
    "no address": (("add", "nobody"), "has no @"),
    "a language": (("add", "a@x.org", "--language", "english"), "write a code such as en"),
    "a time zone": (("add", "a@x.org", "--timezone", "Mars"), "Europe/Berlin"),
    "an attribute": (("add", "a@x.org", "--attribute", "plan"), "write NAME=VALUE"),
    "a service": (("import", "-", "--from", "tinyletter"), "write mailchimp, substack"),
    "a column": (("import", "-", "--column", "Email"), "write NAME=MEANING"),
    "no such column": (("import", "-", "--column", "b=email", "--column", "c=-"), "named 'c'"),
    "a header": (("import", "-"), "-:1: no column is named email"),
    "a lift without a reason": (("add", "a@x.org", "--lift", " "), "--lift: write 1 to 300"),
    "a bad name": (("add", "a@x.org", "--name", "a\u202eb"), "U+202E"),
}


@pytest.mark.parametrize(("arguments", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_with_its_remedy(
    mailer: Run, arguments: tuple[str, ...], words: str
) -> None:
    done = mailer(*arguments, stdin="a,b\n1,2\n")
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_attributes_are_declared_counted_and_taken_back(mailer: Run) -> None:
    assert mailer("attributes", "add", "score", "--kind", "number").returncode == 0
    slip = mailer("add", "a@x.org", "--attribute", "scor=1")
    assert (slip.returncode, "did you mean score?" in slip.stderr) == (2, True)
    wrong = mailer("add", "a@x.org", "--attribute", "score=high")
    assert "score: 'high' is no number; write it like 12 or 12.5" in wrong.stderr
    assert mailer("add", "a@x.org", "--attribute", "score=7").returncode == 0
    assert mailer("attributes", "list").stdout == "score\tnumber\t1\n"
    in_use = mailer("attributes", "remove", "score")
    assert (in_use.returncode, "1 people have score" in in_use.stderr) == (2, True)
    gone = mailer("attributes", "remove", "score", "--values", "--yes")
    assert gone.stdout == "removed, from 1 people\n"
    for name in ("Plan", "tag", "1st", "a b"):
        assert mailer("attributes", "add", name).returncode == 2


def test_odd_addresses_are_told(mailer: Run) -> None:
    added = mailer("add", "ada@gmial.com")
    assert added.returncode == 0
    assert "did you mean ada@gmail.com?" in added.stderr
    assert "ada@gmial.com\tmisspelt\tada@gmail.com\n" in mailer("check").stdout


def test_silence_can_only_be_told_where_looks_are_recorded(mailer: Run) -> None:
    mailer("add", "ada@example.org")
    refused = mailer("sunset", "--apply", "--yes")
    assert (refused.returncode, "nobody ever opened" in refused.stderr) == (2, True)
    both = mailer("sunset", "--ask", "--apply")
    assert (both.returncode, "not both" in both.stderr) == (2, True)
