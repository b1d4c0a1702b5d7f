"""A new user's first hour and three weeks: the very story that docs/tutorial.md tells."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.acceptance.first_hour.player import playing
from tests.acceptance.first_hour.story import STORY
from tests.acceptance.first_hour.world import World
from tests.services.process import free_port
from tests.services.smtp import SmtpSink

ROOT = Path(__file__).parents[2]
#: A python3 whose new environments see the libraries that are installed here.
PYTHON = """#!/bin/sh
"{python}" "$@" || exit
[ "$2" != venv ] || echo "{beside}" > "$(echo "$3"/lib/python3*/site-packages)/beside.pth"
"""


def offline(folder: Path) -> dict[str, str]:
    """What lets `git clone` and `pip install` do without a network: all that is needed is here."""
    source = folder / "source"
    subprocess.run(["git", "clone", "-q", ROOT, source], check=True)
    # What is not committed yet is tested, too.
    changed = subprocess.run(
        ["git", "diff", "--binary", "HEAD"], cwd=ROOT, check=True, capture_output=True
    )
    if changed.stdout:
        subprocess.run(
            ["git", "apply", "--index", "-"], cwd=source, input=changed.stdout, check=True
        )
        subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", "x"],
            cwd=source,
            check=True,
        )
    python = folder / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(PYTHON.format(python=sys.executable, beside=sysconfig.get_path("purelib")))
    python.chmod(0o755)
    return {
        "PRESSRUN": str(source),
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        # Says "no isolation", the wrong way round.
        "PIP_NO_BUILD_ISOLATION": "0",
    }


@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_the_first_hour_and_three_weeks(tmp_path: Path) -> None:
    relay = SmtpSink(login=("ann", "first-password"))
    relay.start()
    port = free_port()
    environment = {
        # Where its relay and web process are on this machine; all else is as Ann types it.
        "PRESSRUN_RELAY__HOST": relay.host,
        "PRESSRUN_RELAY__PORT": str(relay.port),
        "PRESSRUN_WEB__PORT": str(port),
        "PRESSRUN_SENDING__POLL_SECONDS": "0.1",
        "PRESSRUN_SENDING__CLOCK_SECONDS": "0.1",
        "PRESSRUN_SENDING__REPLY_TIMEOUT": "5",
        **offline(tmp_path),
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "100",
    }
    try:
        with playing(tmp_path, environment) as player:
            player.play(STORY, World(player, relay, port=port))
    finally:
        relay.stop()
