"""The access token of a login by XOAUTH2: from the settings, or fresh from a command."""

from __future__ import annotations

import asyncio
import shlex
import subprocess

from mailer.errors import RelayLoginRefused, RelayUnreachable, SettingsInvalid
from mailer.settings import RelaySettings

#: How long the command may take, in seconds.
COMMAND_SECONDS = 30.0


async def access_token(relay: RelaySettings) -> str:
    """The token to log in with.

    Raises SettingsInvalid where the settings name none, RelayLoginRefused where the command
    can't be run, RelayUnreachable where it fails: it may have no network now.
    """
    if relay.token_command is not None:
        # In a thread: a loop that is not in the main thread can't watch over children.
        return await asyncio.to_thread(_printed, relay.token_command)
    if relay.token is None:
        raise SettingsInvalid(
            'relay.auth is "xoauth2": set token_command, token_file or token of [relay]'
        )
    return relay.token.get_secret_value()


def _printed(command: str) -> str:
    try:
        done = subprocess.run(
            shlex.split(command), capture_output=True, timeout=COMMAND_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as exc:
        raise RelayUnreachable(
            f"relay.token_command printed nothing for {COMMAND_SECONDS:.0f} s"
        ) from exc
    except (OSError, ValueError, IndexError) as exc:
        raise RelayLoginRefused(f"relay.token_command can't be run: {exc}") from exc
    token = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode or not token or not token.isprintable():
        # What it said on standard error is no secret; its output may be one.
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[:200] or "no token"
        raise RelayUnreachable(f"relay.token_command failed ({done.returncode}): {said}")
    return token
