"""Whether bounces and complaints find their way back, and prove who sent them."""

from __future__ import annotations

from collections.abc import Iterator

from mailer.campaign.schedule import is_loopback
from mailer.doctor.model import Finding, error, ok, warning
from mailer.errors import SettingsInvalid
from mailer.settings import Settings
from mailer.webhooks import providers
from mailer.webhooks.providers import PROVIDERS
from mailer.webhooks.verify import verifier_of

WHAT = "webhooks"
#: A shorter password can be guessed by whoever may ask as often as they like.
_SHORT = 16


def reports(settings: Settings) -> Iterator[Finding]:
    """Which ways back are open, and whether what proves them is any good."""
    opened = [name for name, provider in PROVIDERS.items() if provider.is_open(settings)]
    generic = settings.web.generic_secret
    if generic is not None:
        opened.append("generic")
    try:
        if generic is not None:
            verifier_of(generic.get_secret_value())
        providers.check(settings)
    except SettingsInvalid as exc:
        yield error(WHAT, str(exc), "the web process does not start with it; paste the key again")
        return
    short = [name for name in opened if 0 < len(_password(settings, name)) < _SHORT]
    if short:
        yield warning(
            WHAT,
            f"the password of {', '.join(short)} has fewer than {_SHORT} characters",
            "make a longer one: openssl rand -hex 24",
        )
    elif opened:
        yield ok(WHAT, f"open: {', '.join(opened)}; `mailer webhooks test` replays a sample")
    elif settings.inbound_domain:
        yield ok(WHAT, f"none; bounces come by mail to {settings.inbound_domain}")
    elif all(is_loopback(relay.host) for relay in settings.every_relay.values()):
        yield warning(WHAT, "none: later bounces and complaints are not heard of", _HOW)
    else:
        yield error(
            WHAT,
            "nothing reports later bounces and complaints: bad addresses are mailed for ever",
            _HOW,
        )


_HOW = "open your provider's webhook (docs/webhooks.md), or set inbound_domain (docs/inbound.md)"


def _password(settings: Settings, name: str) -> str:
    """The password of an endpoint that is proved by one, or nothing."""
    section = getattr(settings.webhooks, name, None)
    secret = getattr(section, "password", None)
    return secret.get_secret_value() if secret else ""
