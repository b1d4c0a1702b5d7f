"""The broker that wakes workers; wiping it at any moment loses nothing."""

from __future__ import annotations

import dramatiq
from dramatiq import Broker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import ShutdownNotifications, TimeLimit

#: No actor runs longer (ms): it hands a chunk over and returns.
TIME_LIMIT = 60_000


def make_broker(url: str | None) -> Broker:
    """The broker of this address, or the in-process one; opens no connection yet.

    Without the middleware that retries: the database says what is to be done, so a message
    that comes to nothing is forgotten, and the clock wakes the chunk again.
    """
    middleware = [TimeLimit(time_limit=TIME_LIMIT), ShutdownNotifications()]
    broker: Broker
    if url is None:
        broker = StubBroker(middleware=middleware)
    elif url.startswith("redis"):
        from dramatiq.brokers.redis import RedisBroker

        broker = RedisBroker(  # type: ignore[no-untyped-call]
            url=url, middleware=middleware, namespace="pressrun"
        )
    else:
        from dramatiq.brokers.rabbitmq import RabbitmqBroker

        broker = RabbitmqBroker(url=url, middleware=middleware)
    dramatiq.set_broker(broker)
    return broker
