"""Running the web process from the command line."""

from __future__ import annotations

from collections.abc import Callable

from mailer.queue.broker import ping
from mailer.settings import Settings
from mailer.web.app import create_app
from mailer.web.server import bind, server
from mailer.web.services import WebServices
from subscribers.database import Database
from subscribers.token import Keyring


def serve_web(
    settings: Settings,
    database: Database,
    keyring: Keyring,
    *,
    stop: Callable[[], bool],
    on_listening: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve pages and webhooks until `stop()` is true.

    `on_listening` is told the local URL once the port is ours. Raises PortTaken before
    anything starts.
    """
    broker = settings.broker_url
    services = WebServices(
        settings=settings,
        database=database,
        keyring=keyring,
        ping_broker=(lambda: ping(broker)) if broker else lambda: None,
    )
    app = create_app(services)
    with bind(settings.web) as listener:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        on_listening(f"http://{shown}:{port}")
        server(app, stop=stop).run(sockets=[listener])
