"""Run the servers by hand: `python -m tests.services postgres redis`, until Ctrl-C.

Prints the variables to set, one a line. The database has its tables already.
"""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack, suppress

from tests.services import schema
from tests.services.postgres import PostgresServer
from tests.services.process import ServiceMissing
from tests.services.redis import RedisServer


def _main(names: list[str]) -> None:
    with ExitStack() as stack:
        if "postgres" in names:
            postgres = PostgresServer(durable=True)
            stack.callback(postgres.stop)
            url = postgres.url(postgres.create())
            schema.build(url)
            print(f"PRESSRUN_DATABASE_URL={url}", flush=True)
        if "redis" in names:
            redis = RedisServer()
            stack.callback(redis.stop)
            print(f"PRESSRUN_BROKER_URL={redis.url}", flush=True)
        _wait_for_the_end()


def _wait_for_the_end() -> None:
    """Until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        signal.pause()


if __name__ == "__main__":
    try:
        _main(sys.argv[1:] or ["postgres", "redis"])
    except ServiceMissing as exc:
        sys.exit(f"services: {exc}")
