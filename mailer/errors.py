"""The error tree of the mailer; each docstring is the default message and says the remedy."""

from __future__ import annotations

from subscribers.errors import PressrunError, UsersMistake


class SettingsInvalid(UsersMistake):
    """A setting can't be used."""


class KeysMissing(UsersMistake):
    """The keys that sign links are missing; `mailer init` makes them."""


class IssueInvalid(UsersMistake):
    """The issue has mistakes; `mailer issue check FILE` lists them."""


class RenderingFailed(PressrunError):
    """The issue could not be rendered."""


class ThemeInvalid(RenderingFailed, UsersMistake):
    """The theme has mistakes; `mailer theme list` names the themes there are."""


class ChromiumMissing(UsersMistake):
    """There is no Chromium for screenshots; install it: apt-get install chromium."""


class CampaignUnknown(UsersMistake):
    """There is no such campaign; `mailer campaign list` shows those there are."""


class CampaignRefused(UsersMistake):
    """The campaign can't do this in the state it is in."""


class AudienceEmpty(CampaignRefused):
    """Nobody would get it; `mailer subscribers stats` shows whom there is, and who left."""


class MaildirUnusable(UsersMistake):
    """This folder can't be made a Maildir; name one that is new, or another place."""


class AlreadyScheduled(UsersMistake):
    """This issue was scheduled before; add --again to send it to those who have no copy."""


class TimeInvalid(UsersMistake):
    """This time does not exist or exists twice in its time zone."""


class UrlUnsafe(UsersMistake):
    """The public URL would make dead unsubscribe links; set an https URL that the world reaches."""


class PortTaken(UsersMistake):
    """Another program listens on this port; choose another with --port."""


class RelayTrouble(PressrunError):
    """The relay can't be used."""


class RelayUnreachable(RelayTrouble):
    """The relay does not answer; check host and port of [relay] in pressrun.toml."""


class RelayLoginRefused(RelayTrouble):
    """The relay refuses the login; check username and password of [relay] in pressrun.toml."""


class RelayWithoutTls(RelayTrouble):
    """The relay offers no STARTTLS; use tls = "none" only on a network you trust."""


class BrokerUnavailable(PressrunError):
    """The broker does not answer; workers find their work in the database meanwhile."""


class WebhookRefused(PressrunError):
    """This request is not from the provider it claims to be from."""


class FetchRefused(PressrunError):
    """This URL could not be fetched."""


class HostUnknown(FetchRefused):
    """This host has no address."""


class EndpointUnknown(UsersMistake):
    """There is no such endpoint; `mailer webhooks out list` shows those there are."""


class InboundUnreadable(UsersMistake):
    """A message can't be read; name a file that holds one."""


class DnsUnavailable(PressrunError):
    """No name server answers; domains stay in the lane `other` meanwhile."""


class DnsBroken(PressrunError):
    """The name servers of this domain answer with an error; ask who runs them."""


class MailboxTrouble(PressrunError):
    """The mailbox can't be read; check inbound.mailbox and its password."""
