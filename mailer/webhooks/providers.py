"""Every provider that is understood: what it is called, what opens it, how it is read.

`verify` gives the id of a genuine request, or raises WebhookRefused; `parse` is pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter

from mailer.errors import SettingsInvalid
from mailer.settings import Settings
from mailer.webhook_settings import Keyed, PasswordWebhook, WebhooksSettings
from mailer.webhooks import (
    amazon_ses,
    azure,
    brevo,
    generic,
    haraka,
    kumomta,
    mailersend,
    mailgun,
    mailjet,
    mailtrap,
    mandrill,
    postal,
    postmark,
    resend,
    scaleway_tem,
    sendgrid,
    sparkpost,
    unisender_go,
    zonemta,
)
from mailer.webhooks import verify as prove
from mailer.webhooks.model import Incoming, Received, Report

Verify = Callable[[WebhooksSettings, Incoming], str]
Parse = Callable[[Received], Report]


@dataclass(frozen=True, kw_only=True)
class Provider:
    """One provider. `setting` is what in its section opens its endpoint.

    `handshake` gives what some requests must be answered at once; `sample` is a request body
    with `{id}`, `{now}` and the like to be filled in.
    """

    name: str
    title: str
    setting: str
    verify: Verify
    parse: Parse
    sample: object
    handshake: Callable[[bytes], Mapping[str, str] | None] = lambda body: None

    def section(self, settings: Settings) -> Keyed:
        """This provider's section of the settings."""
        section: Keyed = attrgetter(self.name)(settings.webhooks)
        return section

    @property
    def path(self) -> str:
        """Where under `public_url` its endpoint is."""
        return f"/webhooks/{self.name}"

    def is_open(self, settings: Settings) -> bool:
        """Whether there is an endpoint: only with what its requests are proved by."""
        return bool(self.section(settings).key)


def _password(name: str) -> Verify:
    """Verify by HTTP Basic or a bearer token, with the settings of this name."""

    def verify(settings: WebhooksSettings, request: Incoming) -> str:
        section: PasswordWebhook = attrgetter(name)(settings)
        given = request.headers.get("authorization", "")
        prove.password(given, username=section.username, secret=section.key)
        return prove.body_id(request.body)

    return verify


def _by_password(name: str, title: str, parse: Parse, sample: object) -> Provider:
    return Provider(
        name=name,
        title=title,
        setting="password",
        verify=_password(name),
        parse=parse,
        sample=sample,
    )


_EVERY = (
    Provider(
        name="amazon_ses",
        title="Amazon SES",
        setting="topics",
        verify=amazon_ses.verify,
        parse=amazon_ses.parse,
        sample=amazon_ses.SAMPLE,
    ),
    Provider(
        name="azure",
        title="Azure Communication Services",
        setting="secret",
        verify=azure.verify,
        parse=azure.parse,
        sample=azure.SAMPLE,
        handshake=azure.handshake,
    ),
    _by_password("brevo", "Brevo", brevo.parse, brevo.SAMPLE),
    _by_password("haraka", "Haraka", haraka.parse, haraka.SAMPLE),
    _by_password("kumomta", "KumoMTA", kumomta.parse, kumomta.SAMPLE),
    Provider(
        name="mailersend",
        title="MailerSend",
        setting="secret",
        verify=mailersend.verify,
        parse=mailersend.parse,
        sample=mailersend.SAMPLE,
    ),
    Provider(
        name="mailgun",
        title="Mailgun",
        setting="secret",
        verify=mailgun.verify,
        parse=mailgun.parse,
        sample=mailgun.SAMPLE,
    ),
    _by_password("mailjet", "Mailjet", mailjet.parse, mailjet.SAMPLE),
    Provider(
        name="mailtrap",
        title="Mailtrap",
        setting="password",
        verify=mailtrap.verify,
        parse=mailtrap.parse,
        sample=mailtrap.SAMPLE,
    ),
    Provider(
        name="mandrill",
        title="Mandrill",
        setting="secret",
        verify=mandrill.verify,
        parse=mandrill.parse,
        sample=mandrill.SAMPLE,
    ),
    Provider(
        name="postal",
        title="Postal",
        setting="public_key",
        verify=postal.verify,
        parse=postal.parse,
        sample=postal.SAMPLE,
    ),
    _by_password("postmark", "Postmark", postmark.parse, postmark.SAMPLE),
    Provider(
        name="resend",
        title="Resend",
        setting="secret",
        verify=resend.verify,
        parse=resend.parse,
        sample=resend.SAMPLE,
    ),
    Provider(
        name="scaleway_tem",
        title="Scaleway Transactional Email",
        setting="topics",
        verify=scaleway_tem.verify,
        parse=scaleway_tem.parse,
        sample=scaleway_tem.SAMPLE,
    ),
    Provider(
        name="sendgrid",
        title="SendGrid",
        setting="public_key",
        verify=sendgrid.verify,
        parse=sendgrid.parse,
        sample=sendgrid.SAMPLE,
    ),
    _by_password("sparkpost", "SparkPost", sparkpost.parse, sparkpost.SAMPLE),
    Provider(
        name="unisender_go",
        title="Unisender Go",
        setting="secret",
        verify=unisender_go.verify,
        parse=unisender_go.parse,
        sample=unisender_go.SAMPLE,
    ),
    _by_password("zonemta", "ZoneMTA", zonemta.parse, zonemta.SAMPLE),
)

#: By name, which is also the section of the settings and the end of the URL.
PROVIDERS: Mapping[str, Provider] = {provider.name: provider for provider in _EVERY}

#: How a kept request is read, by where it came in.
READERS: Mapping[str, Parse] = {
    "generic": lambda received: generic.parse(received.body),
    **{provider.name: provider.parse for provider in _EVERY},
}


def check(settings: Settings) -> None:
    """Read every key that is set; raises SettingsInvalid naming the first that is none."""
    for name in ("sendgrid", "postal"):
        if key := attrgetter(name)(settings.webhooks).key:
            try:
                prove.read_key(key)
            except SettingsInvalid as exc:
                raise SettingsInvalid(f"webhooks.{name}.public_key: {exc}") from exc
    if key := settings.webhooks.resend.key:
        prove.verifier_of(key, "webhooks.resend.secret")
