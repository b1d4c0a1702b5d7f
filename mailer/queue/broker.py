"""The broker that wakes workers; wiping it at any moment loses nothing."""

from __future__ import annotations

import dramatiq
from dramatiq import Broker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import ShutdownNotifications, TimeLimit

from mailer.errors import BrokerUnavailable

#: How long a broker may take to say that it is there, in seconds.
PATIENCE = 5.0
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


def ping(url: str) -> None:
    """See whether the broker of this address answers; raises BrokerUnavailable."""
    if url.startswith("redis"):
        _ping_redis(url)
    else:
        _ping_rabbitmq(url)


def _ping_redis(url: str) -> None:
    import redis

    try:
        with redis.Redis.from_url(
            url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
        ) as client:
            client.ping()
    except (redis.RedisError, OSError) as exc:
        raise _silent(exc) from exc


def _ping_rabbitmq(url: str) -> None:
    import pika
    from pika.exceptions import AMQPError

    try:
        parameters = pika.URLParameters(url)
        parameters.socket_timeout = parameters.stack_timeout = PATIENCE
        pika.BlockingConnection(parameters).close()
    except (AMQPError, OSError) as exc:
        raise _silent(exc) from exc


def _silent(exc: Exception) -> BrokerUnavailable:
    # RabbitMQ's client wraps what happened in a tuple of tries, and names it in its repr alone.
    return BrokerUnavailable(f"the broker does not answer: {str(exc) or repr(exc)[:200]}")
