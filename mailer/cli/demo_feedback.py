"""What comes back, over HTTP, as in real life: a bounce from a provider, a reader who leaves."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx

from mailer.cli.demo_folder import DemoFolder
from mailer.cli.demo_server import DemoServer
from mailer.cli.demo_stop import DemoFailed, Stop
from mailer.cli.demo_watch import Tell
from mailer.cli.maildir_relay import Received
from mailer.cli.runtime import Runtime
from mailer.webhooks.verify import verifier_of
from subscribers import address
from subscribers import queries as people
from subscribers.model import Status

_PATIENCE = 15.0


def report_bounce(
    here: Runtime,
    folder: DemoFolder,
    server: DemoServer,
    copy: Received,
    stop: Stop,
    tell: Tell,
) -> None:
    """Report a copy bounced to POST /webhooks/generic, signed (Standard Webhooks)."""
    now = datetime.now(UTC)
    event = {
        # The same id each time: a second run says nothing new.
        "id": f"demo-bounce-{copy.token}",
        "type": "bounced",
        "hard": True,
        "at": now.isoformat(),
        "delivery": copy.token,
        "text": "550 5.1.1 this mailbox was closed",
    }
    body = json.dumps(event)
    request_id = f"demo-{now.timestamp():.6f}"
    signer = verifier_of(folder.secret.read_text(encoding="utf-8"))
    headers = {
        "content-type": "application/json",
        "webhook-id": request_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signer.sign(request_id, now, body),
    }
    _post(f"{server.url}/webhooks/generic", body, headers)
    _expect(here, copy, Status.BOUNCED, stop)
    tell(f"bounce       POST /webhooks/generic, signed: {copy.recipient} is bounced from now on")


def leave(here: Runtime, server: DemoServer, copy: Received, stop: Stop, tell: Tell) -> None:
    """Post to the address in a copy's List-Unsubscribe, as mail programs do (RFC 8058)."""
    path = urlsplit(copy.unsubscribe_url).path
    headers = {"content-type": "application/x-www-form-urlencoded"}
    _post(f"{server.url}{path}", "List-Unsubscribe=One-Click", headers)
    _expect(here, copy, Status.UNSUBSCRIBED, stop)
    tell(f"unsubscribe  POST /u/…, one click: {copy.recipient} is unsubscribed from now on")


def _post(url: str, body: str, headers: dict[str, str]) -> None:
    try:
        answer = httpx.post(url, content=body.encode(), headers=headers, timeout=_PATIENCE)
    except httpx.HTTPError as exc:
        raise DemoFailed(f"POST {url}: {exc or type(exc).__name__}") from exc
    if not answer.is_success:
        raise DemoFailed(f"POST {url}: {answer.status_code} {answer.text.strip()[:200]}")


def _expect(here: Runtime, copy: Received, status: Status, stop: Stop) -> None:
    """Wait until the report has been applied to the person."""
    deadline = time.monotonic() + _PATIENCE
    who = address.parse(copy.recipient)
    while time.monotonic() < deadline:
        with here.database.read() as session:
            person = people.show(session, who, keyring=here.keyring)
        if person.subscriptions[0].status is status:
            return
        stop.sleep(0.1)
    raise DemoFailed(f"{copy.recipient} should be {status} by now, and is not")
