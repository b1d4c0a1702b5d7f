"""`mailer theme` and local images of `mailer issue`, as a user meets them."""

from __future__ import annotations

import json
import shutil
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mailer.cli.app import app
from mailer.errors import ThemeInvalid
from mailer.resources import templates

SAMPLE = templates() / "sample" / "magazine"
PIXEL = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*words], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.stdout


def test_a_theme_of_ones_own(folder: Path) -> None:
    _run("theme", "new", "ours", "--from", "magazine")
    brand = folder / "themes" / "ours" / "brand.toml"
    assert 'theme "ours"' in brand.read_text()
    brand.write_text(brand.read_text().replace("#b0123b", "#123bb0"))
    listed = {each["name"]: each for each in json.loads(_run("theme", "list", "--json"))}
    assert listed["ours"]["folder"] == "themes/ours"
    assert {"letter", "digest", "magazine"} <= listed.keys()
    assert _run("theme", "preview", "ours", "--out", "p").split() == ["p/ours-en.html"]
    page = Path("p/ours-en.html").read_text()
    assert "#123bb0" in page
    assert "#b0123b" not in page
    for word in page.split('src="')[1:]:
        assert Path("p", word.partition('"')[0]).is_file()


def test_a_theme_that_is_there_is_kept(folder: Path) -> None:
    _run("theme", "new", "ours")
    _run("theme", "new", "ours", code=2)
    _run("theme", "new", "../up", code=2)


def test_mistakes_of_ones_own_theme_have_places(folder: Path) -> None:
    _run("theme", "new", "ours", "--from", "digest")
    layout = folder / "themes" / "ours" / "layout.mjml.j2"
    layout.write_text(layout.read_text().replace("padding=", "pading=", 1))
    with pytest.raises(ThemeInvalid) as caught:
        _run("theme", "preview", "ours")
    assert str(caught.value) == (
        "themes/ours/layout.mjml.j2:6:5: <mj-wrapper> has no attribute pading; "
        "did you mean padding?"
    )


def test_a_theme_by_its_folder(folder: Path) -> None:
    shutil.copytree(templates() / "issue" / "letter", folder / "elsewhere")
    assert _run("theme", "preview", "./elsewhere", "--out", "p").split() == ["p/elsewhere-en.html"]


def test_local_images_are_measured_and_written_along(folder: Path) -> None:
    shutil.copytree(SAMPLE, folder, dirs_exist_ok=True)
    _run("issue", "render", "issue.md", "--out", "p", "--theme", "magazine")
    page = (folder / "p" / "issue.html").read_text()
    names = {file.name for file in (folder / "p" / "images").iterdir()}
    assert len(names) == 5
    assert all(f'src="images/{name}"' in page for name in names)
    assert 'width="600" height="330"' in page  # 1200 × 660 in a letter of 600
    message = message_from_bytes((folder / "p" / "issue.eml").read_bytes(), policy=policy.default)
    related = [
        part["Content-ID"] for part in message.walk() if part.get_content_maintype() == "image"
    ]
    html = message.get_body(("html",)).get_content()
    assert len(related) == 5
    assert all(f'src="cid:{each.strip("<>")}"' in html for each in related)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.png", None, "6:15: error: there is no image a.png; put it beside the issue"),
        ("a.png", b"<svg></svg>", "6:15: error: the image a.png is neither PNG, JPEG nor GIF"),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0", "6:15: error: the image a.png is damaged"),
        ("a.jpg", b"\xff\xd8\xff\xe0", "6:15: error: the image a.jpg is damaged"),
        ("../a.gif", PIXEL, "6:15: error: the image ../a.gif lies outside the issue's folder"),
        ("a%20b.gif", PIXEL, "6:15: warning: the image a%20b.gif has only 1 × 1 pixels"),
        ("a.gif", PIXEL + bytes(5 << 20), "6:15: error: the image a.gif has more than 5 MB"),
    ],
)
def test_mistakes_of_images(folder: Path, name: str, content: bytes | None, words: str) -> None:
    (folder / "in").mkdir()
    if content is not None:
        (folder / "in" / name.replace("%20", " ")).write_bytes(content)
    issue = folder / "in" / "x.md"
    issue.write_text(
        f'---\nsubject: "x"\npreheader: y\nnumber: 1\n---\nText, ![An a]({name}) and more.\n'
    )
    found = _run("issue", "check", "in/x.md", code=0 if "warning" in words else 2)
    assert words in found
    assert len(found.splitlines()) == 1


@pytest.mark.parametrize("stem", ["第30期 我们", "العدد-٧", "अंक ७", "numéro 👩🏽‍🔬"])
def test_names_of_files_keep_their_script(folder: Path, stem: str) -> None:
    (folder / f"{stem}.md").write_text(
        f'---\nsubject: "{stem}"\npreheader: y\nnumber: 1\n---\nText.\n', encoding="utf-8"
    )
    written = json.loads(_run("issue", "render", f"{stem}.md", "--out", "p", "--json"))
    assert {Path(written[kind]).name for kind in ("html", "text", "eml")} == {
        f"{stem}.{suffix}" for suffix in ("html", "txt", "eml")
    }
    message = message_from_bytes(Path(written["eml"]).read_bytes(), policy=policy.default)
    assert message["Subject"] == stem


def test_a_newsletter_takes_a_theme(folder: Path) -> None:
    options = [
        "--name",
        "Weekly",
        "--from",
        "a@news.example",
        "--postal-address",
        "1 Street",
        "--yes",
    ]
    _run("init", *options, "--public-url", "https://news.example", "--relay-host", "127.0.0.1")
    _run("theme", "new", "ours", "--from", "magazine")
    assert _run("theme", "use", "ours") == "Weekly now looks like themes/ours\n"
    _run("issue", "render", "issue.md", "--out", "p")
    assert "border-top:3px double" in Path("p/issue.html").read_text()
