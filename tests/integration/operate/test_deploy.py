"""What deploy/ holds, tried: the units by systemd, the image's steps by a build."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from docs import write
from tests.conftest import _bring
from tests.services.process import ServiceMissing

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
COMMANDS = dict(write.commands())


def systemd_analyze() -> str:
    """The program; raises ServiceMissing."""
    found = shutil.which("systemd-analyze")
    if found is None:
        raise ServiceMissing("systemd-analyze is not installed")
    return found


def verified(folder: Path, *units: str) -> str:
    """What systemd has to say against units, with our own `mailer` in the place of theirs."""
    program = _bring("systemd", systemd_analyze)
    for unit in (DEPLOY / "systemd").iterdir():
        mailer = str(Path(sys.executable).with_name("mailer"))
        text = unit.read_text().replace("/opt/pressrun/bin/mailer", mailer)
        (folder / unit.name).write_text(text)
    shutil.copyfile(folder / "pressrun-worker@.service", folder / "pressrun-worker@1.service")
    done = subprocess.run(
        [program, "verify", "--man=no", *(f"./{unit}" for unit in units)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


UNITS = (
    "pressrun.target",
    "pressrun-web.service",
    "pressrun-worker@1.service",
    "pressrun-clock.service",
    "pressrun-backup.service",
    "pressrun-backup.timer",
)


def test_systemd_has_nothing_against_the_units(tmp_path: Path) -> None:
    assert verified(tmp_path, *UNITS) == ""


def test_the_units_differ_only_in_what_they_run() -> None:
    def lines(name: str) -> set[str]:
        text = (DEPLOY / "systemd" / name).read_text()
        return {
            line for line in text.splitlines() if not line.startswith(("#", "Desc", "ExecStart"))
        }

    assert lines("pressrun-web.service") == lines("pressrun-clock.service")
    assert lines("pressrun-web.service") == lines("pressrun-worker@.service")


@pytest.mark.parametrize("file", ["compose.yaml", "Dockerfile", *(f"systemd/{u}" for u in UNITS)])
def test_every_command_and_variable_exists(file: str) -> None:
    text = (DEPLOY / file.replace("@1", "@")).read_text()
    known = {
        "PRESSRUN_" + "__".join(part for part in (*prefix.split("."), name) if part).upper()
        for prefix, section in write._sections()
        for name in write.own_fields(section)
    } | {"PRESSRUN_DATABASE_URL_FILE"}
    assert set(re.findall(r"PRESSRUN_[A-Z_]+", text)) <= known
    said = re.findall(r"(?:mailer(?: --config \S+)? |(?:command|CMD)[:]? \[\"?)([a-z]+)", text)
    names = {name.split()[1] for name in COMMANDS}
    assert {word for word in said if word not in ("python", "redis", "mailer")} <= names


def test_compose_names_what_there_is() -> None:
    told = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    ours = {name: one for name, one in told["services"].items() if one.get("image") == "pressrun"}
    assert ours.keys() == {"upgrade", "web", "worker", "clock"}
    for service in told["services"].values():
        assert set(service.get("secrets", [])) <= told["secrets"].keys()
        assert set(service.get("depends_on", {})) <= told["services"].keys()
    # Only the proxy on this machine gets to the web process.
    assert told["services"]["web"]["ports"] == ["127.0.0.1:8025:8025"]


def test_the_files_that_the_image_takes_make_a_whole_installation(tmp_path: Path) -> None:
    """The build stage without a network: its files, a wheel, an empty place, a first start."""
    _, text, _ = re.split(r"^FROM .*$", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    source = tmp_path / "src"
    source.mkdir()
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
        *names, target = line.split()
        for name in names:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, source / target)
            else:
                shutil.copyfile(ROOT / name, source / target / name)
    run(source, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", ".")
    [wheel] = (source / "dist").glob("*.whl")
    place = tmp_path / "opt"
    run(source, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", place, wheel)
    home = tmp_path / "var"
    home.mkdir()
    answers = ("--name", "W", "--from", "a@example.com", "--postal-address", "1 Road", "--yes")
    run(home, "-m", "mailer", "init", ".", *answers, path=place)
    shown = run(home, "-c", "import mailer; print(mailer.__file__)", path=place)
    assert shown.startswith(str(place))
    assert (place / "share/man/man1/mailer.1").is_file()
    run(home, "-m", "mailer", "db", "check", path=place)
    run(home, "-m", "mailer", "issue", "render", "issue.md", "--out", "out", path=place)
    assert (home / "out").exists()


def run(folder: Path, *arguments: str | Path, path: Path | None = None) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PRESSRUN_")}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_constraints_of_the_image_are_the_locks_versions(tmp_path: Path) -> None:
    """Its `sed` line leaves names and versions, which pip can read, and no hashes."""
    [command] = re.findall(r"sed (.*?) requirements.lock", (DEPLOY / "Dockerfile").read_text())
    done = subprocess.run(
        ["sh", "-c", f"sed {command} requirements.lock"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [
        line for line in done.stdout.splitlines() if line and not line.lstrip().startswith("#")
    ]
    assert len(lines) > 50
    assert all(re.match(r"[a-z0-9.-]+(\[[a-z0-9,-]+\])?==\S+( ;.*)?$", line) for line in lines)
