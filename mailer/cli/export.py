"""`mailer export all` and `mailer import all`: everything in an open format, and back again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mailer.cli.backup import keys_to_write, tell_contents
from mailer.cli.campaign_options import Json
from mailer.cli.init_installation import write_new
from mailer.cli.output import emit_json, progress, say, warn
from mailer.cli.runtime import Runtime, read_keys, runtime
from mailer.export.manifest import Manifest
from mailer.export.read import import_all, look
from mailer.export.write import export_all
from subscribers.errors import UsersMistake
from subscribers.token import Keyring

export_app = typer.Typer(
    help="Everything in an open format.", no_args_is_help=True, add_completion=False
)
import_app = typer.Typer(
    help="Everything back from an export.", no_args_is_help=True, add_completion=False
)


@export_app.callback()
def export_() -> None:
    """Everything in an open format, for whoever comes after."""


@import_app.callback()
def import_() -> None:
    """Everything back from an export."""


@export_app.command("all")
def export_everything(
    out: Annotated[Path, typer.Option(help="A new folder, or a new FILE.zip.")],
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="The keys too: then keep it as safe as them.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write everything as JSON lines, one file a table, with a manifest: docs/export.md.

    It holds one moment, while everything runs, and never overwrites. Links in mail already sent,
    and suppressions, need the keys: carry pressrun.keys along, or take --with-keys.

    Examples: `mailer export all --out pressrun-export.zip`,
    `mailer export all --out /moving/pressrun --with-keys`
    """
    here = runtime()
    text = read_keys(here.settings)
    with progress("exporting", total=None) as bar:
        manifest = export_all(
            here.database,
            out,
            fingerprint=here.keyring.fingerprint,
            keys=text if with_keys else None,
            told=lambda table: bar.update(bar.task_ids[0], description=f"exporting {table}"),
        )
    if as_json:
        emit_json({"out": str(out), **_told(manifest)})
        return
    rows = manifest.rows
    say(
        f"{out}: {rows['subscribers']:,} people, {rows['consents']:,} consents,"
        f" {rows['campaigns']:,} campaigns, {rows['deliveries']:,} deliveries"
    )
    if not with_keys:
        warn(
            f"the keys are not in it: carry {here.settings.keys_file} along, or no link in mail"
            " already sent works, and no suppression holds"
        )


@import_app.command("all")
def import_everything(
    source: Annotated[Path, typer.Argument(help="The folder or zip.", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is in it.")] = False,
    as_json: Json = False,
) -> None:
    """Fill an empty database from an export; all of it, or nothing.

    The database may be of the other kind: SQLite or PostgreSQL. Stop the old installation first:
    what was not over comes up paused, and every copy that waited is `unknown`, so that nobody
    gets two. The keys must be those of the export, in it or here already.

    Examples: `mailer import all pressrun-export.zip --dry-run`,
    `mailer import all pressrun-export.zip`
    """
    here = runtime()
    manifest, kept = look(source)
    if dry_run:
        tell_contents(_told(manifest), as_json=as_json)
        return
    keys = keys_to_write(kept, here)
    _refuse_others(manifest, keys, here)
    with progress("importing", total=sum(manifest.rows.values())) as bar:
        _, restored = import_all(
            source,
            here.unchecked_database,
            now=datetime.now(UTC),
            told=lambda rows: bar.advance(bar.task_ids[0], rows),
        )
    if keys is not None:
        write_new(here.settings.keys_file, keys, mode=0o600)
    if as_json:
        paused = {"paused": list(restored.paused), "unknown": restored.doubted}
        emit_json({**_told(manifest), **paused})
        return
    say(f"imported {sum(manifest.rows.values()):,} rows of {manifest.made_at:%Y-%m-%d %H:%M} UTC")
    for campaign in restored.paused:
        say(f"paused    campaign {campaign}: what left of it after the export is not known here")
    if restored.doubted:
        say(f"unknown   {restored.doubted} copies that waited then: `mailer campaign settle`")


def _refuse_others(manifest: Manifest, keys: str | None, here: Runtime) -> None:
    """Raise UsersMistake where the keys are not those that the export's hashes were made with."""
    keyring = Keyring.parse(keys) if keys is not None else here.keyring
    if keyring.fingerprint != manifest.fingerprint:
        raise UsersMistake(
            f"{here.settings.keys_file}: these are not the keys of the export: no suppression"
            " would hold and no link work; put the old pressrun.keys there, or export anew"
            " with --with-keys"
        )


def _told(manifest: Manifest) -> dict[str, object]:
    return {
        "made_at": manifest.made_at,
        "version": manifest.version,
        "schema": manifest.step,
        "with_keys": manifest.with_keys,
        "rows": manifest.rows,
    }
