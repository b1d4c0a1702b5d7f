"""What each provider's webhook is proved by: `[webhooks.<provider>]`.

A provider without a secret has no endpoint.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pydantic import Field, SecretStr

from mailer.section import Section


class Keyed(Protocol):
    """A section that may hold what requests are proved by."""

    @property
    def key(self) -> str:
        """The secret, key or topics as text; nothing where the endpoint is closed."""


def _revealed(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


class PasswordWebhook(Section):
    """Proved by HTTP Basic, or by the password alone as a bearer token where that is sent."""

    #: The name of HTTP Basic.
    username: str = "pressrun"
    #: The password; without one the endpoint is closed.
    password: SecretStr | None = None
    #: A file that holds the password and nothing else.
    password_file: Path | None = None

    @property
    def key(self) -> str:
        """The password, or nothing."""
        return _revealed(self.password)


class SecretWebhook(Section):
    """Proved by a secret that the provider shows or is told."""

    #: The secret; without one the endpoint is closed.
    secret: SecretStr | None = None
    #: A file that holds the secret and nothing else.
    secret_file: Path | None = None

    @property
    def key(self) -> str:
        """The secret, or nothing."""
        return _revealed(self.secret)


class MailgunWebhook(Section):
    """Proved by the HTTP webhook signing key, and a time stamp."""

    #: The signing key; without one the endpoint is closed.
    secret: SecretStr | None = None
    #: A file that holds the signing key and nothing else.
    secret_file: Path | None = None
    #: How old a request may be, in seconds.
    max_age: float = Field(default=300.0, gt=0)

    @property
    def key(self) -> str:
        """The signing key, or nothing."""
        return _revealed(self.secret)


class MandrillWebhook(Section):
    """Proved by the webhook's key, and the URL that Mandrill was given."""

    #: The webhook's key; without one the endpoint is closed.
    secret: SecretStr | None = None
    #: A file that holds the key and nothing else.
    secret_file: Path | None = None
    #: The URL as Mandrill was given it, where it is not `public_url` and the path.
    url: str = ""

    @property
    def key(self) -> str:
        """The key, or nothing."""
        return _revealed(self.secret)


class MailtrapWebhook(Section):
    """Proved by HTTP Basic, or by a signature where its secret is set."""

    #: The name of HTTP Basic.
    username: str = "pressrun"
    #: The password; without it and without a secret the endpoint is closed.
    password: SecretStr | None = None
    #: A file that holds the password and nothing else.
    password_file: Path | None = None
    #: The secret of signatures; where it is set the password does not count.
    secret: SecretStr | None = None
    #: A file that holds the secret and nothing else.
    secret_file: Path | None = None

    @property
    def key(self) -> str:
        """The secret, or else the password, or nothing."""
        return _revealed(self.secret) or _revealed(self.password)


class SendgridWebhook(Section):
    """Proved by a signature with SendGrid's key, and a time stamp."""

    #: The verification key as SendGrid shows it; without one the endpoint is closed.
    public_key: str | None = None
    #: A file that holds the key and nothing else.
    public_key_file: Path | None = None
    #: How old a request may be, in seconds.
    max_age: float = Field(default=300.0, gt=0)

    @property
    def key(self) -> str:
        """The key, or nothing."""
        return self.public_key or ""


class PostalWebhook(Section):
    """Proved by a signature with the Postal server's key."""

    #: The public key: PEM, or as in Postal's DKIM record; without one the endpoint is closed.
    public_key: str | None = None
    #: A file that holds the key and nothing else.
    public_key_file: Path | None = None

    @property
    def key(self) -> str:
        """The key, or nothing."""
        return self.public_key or ""


class TopicWebhook(Section):
    """Proved by the service's certificate, for topics that are named here."""

    #: The ARNs of the topics that are heard; without one the endpoint is closed.
    topics: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The topics as one text, or nothing."""
        return " ".join(self.topics)


class WebhooksSettings(Section):
    """One section for each provider; docs/webhooks.md says where its console has the secret."""

    amazon_ses: TopicWebhook = TopicWebhook()
    azure: SecretWebhook = SecretWebhook()
    brevo: PasswordWebhook = PasswordWebhook()
    haraka: PasswordWebhook = PasswordWebhook()
    kumomta: PasswordWebhook = PasswordWebhook()
    mailersend: SecretWebhook = SecretWebhook()
    mailgun: MailgunWebhook = MailgunWebhook()
    mailjet: PasswordWebhook = PasswordWebhook()
    mailtrap: MailtrapWebhook = MailtrapWebhook()
    mandrill: MandrillWebhook = MandrillWebhook()
    postal: PostalWebhook = PostalWebhook()
    postmark: PasswordWebhook = PasswordWebhook()
    resend: SecretWebhook = SecretWebhook()
    scaleway_tem: TopicWebhook = TopicWebhook()
    sendgrid: SendgridWebhook = SendgridWebhook()
    sparkpost: PasswordWebhook = PasswordWebhook()
    unisender_go: SecretWebhook = SecretWebhook()
    zonemta: PasswordWebhook = PasswordWebhook()
