"""While hostile issues render, no file outside the theme is opened and nobody is asked anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
#: Renders in one process, the child's stage included, under an audit hook of its own.
PROGRAM = r"""
import sys
from pathlib import Path
from mailer.issue.parse import parse
from mailer.errors import PressrunError
from mailer.render import child, html
from mailer.render.model import NewsletterLook
from mailer.render.preview import fill
from mailer.render.render import render
from mailer.resources import templates

LOOK = NewsletterLook(name="W", from_name="W", postal_address="S", url="https://w.example/")
FRONT = '---\nsubject: "x {{ subscriber.name }}"\n---\n'
HOSTILE = [
    "[a](file:///etc/passwd)",
    "![a](file:///etc/passwd)",
    "![a](/etc/passwd)",
    "![a](../../etc/passwd)",
    "<style>@import url('http://e.example/x.css');</style>",
    "<img src='http://e.example/x.png'>",
    "{% include '/etc/passwd' %}",
    "{{ ''.__class__.__mro__ }}",
    "{{ subscriber.name | attr('__class__') }}",
    "&#123;% include 'layout.mjml.j2' %&#125; <!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>",
    "`<mj-include path='/etc/passwd' />` &lt;mj-include path='/etc/passwd' /&gt;",
    "![a](https://e.example/a.png) url(http://e.example/) @import 'file:///etc/passwd';",
    "> " * 20 + "deep",
    "* a\n" * 3000,
    "**a** " * 5000,
    "[a](https://e.example/) " * 4000,
    "x" * 200_000,
]
child.transform = html.transform
seen, watching = [], False

def watch(event, arguments):
    if watching and event in ("open", "os.listdir", "os.scandir", "import") or (
        watching and event.startswith(("socket.", "subprocess.", "os.exec", "os.spawn", "os.system",
                                       "urllib.", "http.", "ftplib.", "ctypes.dlopen"))
    ):
        seen.append((event, str(arguments[0]) if arguments else ""))

def one(source, theme):
    try:
        made = render(parse("/nowhere/x.md", FRONT + source), LOOK, theme=theme)
        fill(made, {"subscriber": {"name": "{% include '/etc/passwd' %}"}}, {})
        return True
    except PressrunError:
        return False

one("warm [a](https://e.example/) ![b](https://e.example/b.png)\n\n> q\n\n- l\n\n`c`", "digest")
sys.addaudithook(watch)
watching = True
done = [one(source, theme) for source in HOSTILE for theme in ("letter", "digest", "magazine")]
watching = False
ours = (str(templates()), str(Path("themes")), sys.prefix, sys.base_prefix)
bad = [each for each in seen if each[0] != "import" and not each[1].startswith(ours)]
assert not bad, bad
assert any(str(templates()) in each[1] for each in seen), "the hook saw nothing at all"
print(sum(done), len(done))
"""


def test_hostile_issues_open_and_ask_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    rendered, tried = map(int, done.stdout.split())
    assert 0 < rendered < tried
