"""Judges of renderings that share no code with ours: the reference MJML, axe-core, SpamAssassin."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

from mailer.errors import ChromiumMissing
from mailer.render import chromium
from tests.services.process import ServiceMissing

NODE = Path(__file__).parents[1] / "node"


def require_chromium() -> None:
    """Raise ServiceMissing where there is no browser."""
    try:
        chromium.find()
    except ChromiumMissing as exc:
        raise ServiceMissing(str(exc)) from exc


class Node:
    """What `tests/node/package-lock.json` names, installed."""

    def __init__(self) -> None:
        if not shutil.which("node") or not shutil.which("npm"):
            raise ServiceMissing("there is no node and npm; try: apt-get install nodejs npm")
        if not (NODE / "node_modules" / "mjml").is_dir():
            done = subprocess.run(
                ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=NODE,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise ServiceMissing(f"npm ci failed: {done.stderr[-500:]}")

    @property
    def axe(self) -> str:
        """The source of axe-core."""
        return (NODE / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")

    def mjml(self, documents: list[str]) -> list[str]:
        """The HTML that the reference implementation makes of MJML documents."""
        done = subprocess.run(
            ["node", "mjml.mjs"],
            cwd=NODE,
            input=json.dumps(documents),
            capture_output=True,
            text=True,
            check=True,
        )
        pages: list[str] = json.loads(done.stdout)
        return pages


class SpamAssassin:
    """Debian's, without network and with the rules it was installed with."""

    def __init__(self) -> None:
        self._program = shutil.which("spamassassin")
        if self._program is None:
            raise ServiceMissing("there is no spamassassin; try: apt-get install spamassassin")

    def points(self, message: bytes, home: Path) -> tuple[float, str]:
        """The points of a message, and what they are given for."""
        command = [str(self._program), "--local", "--test-mode", "--prefspath=/dev/null"]
        done = subprocess.run(
            command, input=message, capture_output=True, check=True, env={"HOME": str(home)}
        )
        report = done.stdout.decode("utf-8", "replace")
        found = re.search(r"Content analysis details:\s+\((-?[\d.]+) points", report)
        assert found, report
        return float(found[1]), report[found.start() :]
