"""`mailer backup` and `mailer restore`: an installation in one file, and back again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mailer.backup import archive
from mailer.backup.make import make
from mailer.backup.restore import restore as bring_back
from mailer.cli.campaign_options import Json
from mailer.cli.init_installation import write_new
from mailer.cli.output import emit_json, plain, progress, say, show_table, warn
from mailer.cli.runtime import Runtime, read_keys, runtime
from mailer.errors import KeysMissing
from subscribers.errors import UsersMistake
from subscribers.token import Keyring

File = Annotated[Path, typer.Argument(help="The backup.", dir_okay=False, show_default=False)]


def backup(
    file: File,
    keys: Annotated[
        bool, typer.Option("--keys/--without-keys", help="With the keys, or without.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Write database and keys into one file, while everything runs.

    It holds one moment of the database, compressed, and never overwrites. Keep it as safe as the
    installation itself: every address stands in it. pressrun.toml, DKIM keys and themes are
    files of yours: keep them with it.

    Example: `mailer backup /backups/pressrun-2026-12-01.tar.gz`
    """
    here = runtime()
    database = here.database
    text = read_keys(here.settings) if keys else None
    with progress("copying", total=None) as bar:
        manifest = make(
            database, file, keys=text, told=lambda rows: bar.advance(bar.task_ids[0], rows)
        )
    if as_json:
        emit_json({"file": str(file), "bytes": file.stat().st_size, **_told(manifest)})
        return
    rows = manifest.rows
    say(
        f"{file}: {rows['subscribers']} people, {rows['campaigns']} campaigns,"
        f" {rows['deliveries']} deliveries; {file.stat().st_size / 1e6:.1f} MB"
    )
    if not keys:
        warn("without the keys no link in mail already sent works: keep pressrun.keys elsewhere")


def restore(
    file: File,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is in it.")] = False,
    as_json: Json = False,
) -> None:
    """Fill an empty database from a backup, and put the keys where they belong.

    The database may be of the other kind: SQLite or PostgreSQL. What was not over comes up
    paused, and every copy that waited is `unknown`: it may have left after the backup was made.
    Stop the old installation first, if it still runs.

    Examples: `mailer restore pressrun-2026-12-01.tar.gz`,
    `mailer restore pressrun-2026-12-01.tar.gz --dry-run`
    """
    here = runtime()
    if dry_run:
        with archive.opened(file) as (manifest, _):
            tell_contents(_told(manifest), as_json=as_json)
        return
    with archive.opened(file) as (_, tar):
        keys = keys_to_write(archive.keys_of(tar), here)
    with progress("restoring", total=None) as bar:
        manifest, restored = bring_back(
            file,
            here.unchecked_database,
            now=datetime.now(UTC),
            told=lambda rows: bar.advance(bar.task_ids[0], rows),
        )
    if keys is not None:
        write_new(here.settings.keys_file, keys, mode=0o600)
    if as_json:
        emit_json(
            {
                **_told(manifest),
                "paused": list(restored.paused),
                "unknown": restored.doubted,
            }
        )
        return
    say(f"restored what was here on {manifest.made_at:%Y-%m-%d %H:%M} UTC")
    for campaign in restored.paused:
        say(f"paused    campaign {campaign}: what left of it after the backup is not known here")
    if restored.doubted:
        say(f"unknown   {restored.doubted} copies that waited then; settle them first:")
        say("          mailer campaign settle ID --policy from-log --log /var/log/mail.log")
    say("next: mailer doctor, and with the old machine stopped: mailer serve")


def _told(manifest: archive.Manifest) -> dict[str, object]:
    return {
        "made_at": manifest.made_at,
        "version": manifest.version,
        "schema": manifest.step,
        "with_keys": manifest.with_keys,
        "rows": manifest.rows,
    }


def tell_contents(told: dict[str, object], *, as_json: bool) -> None:
    """Say what a backup or an export holds, for a dry run."""
    if as_json:
        emit_json(told)
        return
    rows = told.pop("rows")
    told["with_keys"] = "yes" if told["with_keys"] else "no"
    facts = [(name.replace("_", " "), plain(value)) for name, value in told.items()]
    tables = sorted(rows.items()) if isinstance(rows, dict) else []
    show_table(
        ("what", "is"), [*facts, *((f"{name} rows", count) for name, count in tables if count)]
    )
    say("a dry run: nothing was changed")


def keys_to_write(kept: str | None, here: Runtime) -> str | None:
    """The keys to be written, of those that came along; raises UsersMistake, KeysMissing."""
    try:
        present = read_keys(here.settings)
    except KeysMissing:
        if here.settings.keys_file.exists():
            raise
        if kept is None:
            raise KeysMissing(
                f"{here.settings.keys_file}: there is no such file, and no keys are in what is to"
                " be brought back: put the old pressrun.keys there first"
            ) from None
        Keyring.parse(kept)
        return kept
    if kept is not None and Keyring.parse(kept) != Keyring.parse(present):
        raise UsersMistake(
            f"{here.settings.keys_file}: these are not the keys of the backup; move them away"
            " first, or links in mail already sent would be dead"
        )
    return None
