"""`mailer dkim`: keys that sign, and the records that publish them."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mailer.cli import config
from mailer.cli.campaign_options import Json
from mailer.cli.init_installation import toml_text, write_new
from mailer.cli.output import MISTAKE, emit_json, fail, say
from mailer.cli.runtime import Runtime, runtime
from mailer.delivery.dkim_keys import new_key, records
from mailer.delivery.sign import Signer, checked_domain, checked_selector
from mailer.settings import DkimSettings, config_file
from mailer.zone import Record
from subscribers import address
from subscribers.errors import UsersMistake

app = typer.Typer(
    help="Keys that sign mail, and their DNS records.", no_args_is_help=True, add_completion=False
)

_HEADING = re.compile(r"^\[dkim\][ \t]*(?:#.*)?$", re.MULTILINE)


@app.command("new")
def new(
    selector: Annotated[
        str | None, typer.Option(help="Its name in the DNS; else made from the month.")
    ] = None,
    ed25519: Annotated[
        bool, typer.Option("--ed25519", help="Ed25519 instead of RSA; some receivers know it.")
    ] = False,
    domain: Annotated[
        str | None, typer.Option(help="The domain that signs; else the From address's.")
    ] = None,
    add: Annotated[
        bool, typer.Option("--add", help="Add the settings to the settings file.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a key, and show the record to publish and the settings that use it.

    The key is written beside the settings file, for its owner alone; nothing is overwritten:
    with --add, one made before is put to use.
    Make an RSA key first, which every receiver knows. To change keys: make one with another
    selector, publish its record, wait a day, then change the settings.

    Examples: `mailer dkim new --add`, `mailer dkim new --ed25519 --selector e1`
    """
    here = runtime()
    kind = "ed25519" if ed25519 else "rsa"
    chosen = checked_selector("--selector", selector or f"{kind[0]}{datetime.now(UTC):%Y%m}")
    signs = checked_domain(domain or _domain(here))
    file, _ = config_file(config.chosen())
    key = file.parent / f"dkim-{chosen}.pem"
    lines = {f"{kind}_selector": chosen, f"{kind}_key": key.name}
    text = _with_settings(file, signs, lines) if add else None
    is_made = text is None or not key.exists()
    if is_made:
        write_new(key, new_key(is_ed25519=ed25519), mode=0o600)
    used = DkimSettings.model_validate(
        {"domain": signs, f"{kind}_selector": chosen, f"{kind}_key": key}
    )
    Signer.load(used)  # one that was there already may be of another kind, or no key at all
    [record] = records(used)
    if text is not None:
        _replace(file, text)
    if as_json:
        emit_json({"key": str(key), "settings": {"domain": signs, **lines}, **_shown(record)})
        return
    say(f"{'made     ' if is_made else 'there    '} {key}; back it up, and keep it to yourself")
    _show(record)
    say()
    if add:
        say(f"added to {file}; processes that run take it in when they are restarted.")
    else:
        say(f"Then add to {file} (or the same command with --add does it):")
        say("\n".join(_toml(signs, lines)))
    say("`mailer doctor` tells when the world can see the record.")


@app.command("show")
def show(as_json: Json = False) -> None:
    """Show the records that must stand in the DNS for the keys in use.

    Example: `mailer dkim show`
    """
    settings = runtime().settings.dkim
    if settings is None:
        fail("there is no [dkim] in the settings; `mailer dkim new --add` begins", code=MISTAKE)
    found = records(settings)
    if as_json:
        emit_json([_shown(record) for record in found])
        return
    for record in found:
        _show(record)


def _domain(here: Runtime) -> str:
    if here.settings.dkim is not None:
        return here.settings.dkim.domain
    return address.parse(here.newsletter(None).from_address).domain


def _show(record: Record) -> None:
    say(f"publish   {record}")


def _shown(record: Record) -> dict[str, str]:
    return {"name": record.name, "type": record.kind, "value": record.value, "line": str(record)}


def _toml(domain: str, lines: dict[str, str]) -> list[str]:
    return [
        "[dkim]",
        f"domain = {toml_text(domain)}",
        *(f"{name} = {toml_text(value)}" for name, value in lines.items()),
    ]


def _with_settings(file: Path, domain: str, lines: dict[str, str]) -> str:
    """The settings file with these lines in it; raises UsersMistake where they can't stand."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsersMistake(f"{file}: can't be read ({exc}); leave out --add") from exc
    section = tomllib.loads(text).get("dkim", {})
    taken = [name for name in lines if name in section]
    heading = _HEADING.search(text)
    if taken or (section and not heading):
        raise UsersMistake(
            f"{file}: [dkim] has {', '.join(taken) or 'another form'} already; leave out --add,"
            " publish the new record first, and change the settings a day later"
        )
    if section and section.get("domain") != domain:
        raise UsersMistake(f"{file}: [dkim] signs for {section.get('domain')}, not {domain}")
    if heading:
        added = "\n".join(_toml(domain, lines)[2 if section else 1 :])
        return f"{text[: heading.end()]}\n{added}{text[heading.end() :]}"
    return f"{text.rstrip()}\n\n" + "\n".join(_toml(domain, lines)) + "\n"


def _replace(file: Path, text: str) -> None:
    """Write a file anew, whole or not at all; its mode stays."""
    beside = file.with_name(f".{file.name}.new")
    write_new(beside, text, mode=file.stat().st_mode & 0o777)
    beside.replace(file)
