"""One frozen Settings, read once from `pressrun.toml` and the environment, and passed in.

The environment beats the file. A secret can also come from a file: `PRESSRUN_KEYS_FILE`,
`PRESSRUN_RELAY__PASSWORD_FILE` and so on; where both are given, the value itself counts. Nobody
else reads the environment.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from mailer.dialect_name import DialectName
from mailer.errors import SettingsInvalid
from mailer.inbound_settings import InboundSettings
from mailer.log_settings import LogSettings
from mailer.outgoing_settings import OutgoingSettings
from mailer.retention_settings import RetentionSettings
from mailer.section import Section, read_secret
from mailer.webhook_settings import WebhooksSettings

CONFIG_FILE = "pressrun.toml"


class RelaySettings(Section):
    """The SMTP server that messages are handed to."""

    #: Its name or address.
    host: str = "127.0.0.1"
    #: Its port: 587 with STARTTLS is usual, 465 with implicit TLS.
    port: int = Field(default=25, ge=1, le=65535)
    #: Your login there; without one there is none.
    username: str | None = None
    #: Better in `password_file`, or a variable.
    password: SecretStr | None = None
    #: A file that holds the password and nothing else.
    password_file: Path | None = None
    #: How to log in: `xoauth2` (Google, Microsoft) with a token instead of the password.
    auth: Literal["password", "xoauth2"] = "password"
    #: The access token for `xoauth2`; it lasts an hour or so: better by `token_command`.
    token: SecretStr | None = None
    #: A file that holds the token and nothing else, read at each start.
    token_file: Path | None = None
    #: A command that prints a fresh token, run for each connection; no shell.
    token_command: str | None = None
    #: `auto`: STARTTLS required unless the relay is on loopback.
    tls: Literal["auto", "starttls", "implicit", "none"] = "auto"
    #: False accepts any certificate; for a relay on your own network alone.
    verify: bool = True
    #: A file of certificates to trust instead of the system's.
    ca_file: Path | None = None
    #: Connections that each worker process opens at most; each may carry several messages.
    connections: int = Field(default=8, ge=1, le=200)
    #: A connection is closed after so many messages.
    messages_per_connection: int = Field(default=1000, ge=1)
    #: Extra headers for every message, such as X-Mailgun-Tag.
    headers: dict[str, str] = Field(default={})
    #: Its share of the mail, where there are several relays.
    weight: float = Field(default=1.0, gt=0)
    #: What this relay rewrites, see docs/relays.md; guessed from `host` where not said.
    dialect: DialectName | None = None
    #: The configuration set (ses) or message stream (postmark) that its mail goes by.
    stream: str | None = None


class DkimSettings(Section):
    """The keys that sign. Either or both; with both each message carries two signatures."""

    #: The domain that signs; usually the one of the From address.
    domain: str
    #: Where in the DNS the RSA key stands: `<selector>._domainkey.<domain>`.
    rsa_selector: str | None = None
    #: A PEM file with an RSA key of 2048 bits.
    rsa_key: Path | None = None
    #: Where in the DNS the Ed25519 key stands.
    ed25519_selector: str | None = None
    #: A PEM file with an Ed25519 key.
    ed25519_key: Path | None = None


class WebSettings(Section):
    """Where the web process listens."""

    #: The address to listen on; 127.0.0.1 behind a reverse proxy.
    host: str = "127.0.0.1"
    #: The port; 0 takes any free one.
    port: int = Field(default=8025, ge=0, le=65535)
    #: Secrets of the generic webhook (`whsec_…`); without one the endpoint is closed (404).
    generic_secret: SecretStr | None = None
    #: A file that holds this secret and nothing else.
    generic_secret_file: Path | None = None
    #: The largest request taken, in bytes.
    max_body: int = Field(default=1_000_000, ge=1_000)
    #: Who sees `/metrics`: who knows the token, or whoever asks from this machine.
    metrics: Literal["token", "loopback"] = "token"
    #: The token, sent as `Authorization: Bearer`; without one nobody sees them (404).
    metrics_token: SecretStr | None = None
    #: A file that holds the token and nothing else.
    metrics_token_file: Path | None = None


class SendingSettings(Section):
    """Leases, deadlines, backoff and poll intervals, in seconds; tests make them tiny."""

    #: Copies that travel through the queue together.
    chunk_size: int = Field(default=500, ge=1, le=500)
    #: How long a worker stays with one chunk before others get their turn.
    slice_seconds: float = Field(default=30.0, gt=0)
    #: After so long without a sign of life a chunk goes to another worker.
    lease_seconds: float = Field(default=60.0, gt=0)
    #: How often a worker looks for work that nobody woke it for.
    poll_seconds: float = Field(default=1.0, gt=0)
    #: How often the clock looks for what is due.
    clock_seconds: float = Field(default=1.0, gt=0)
    #: The clock wakes a chunk again only after this long.
    rewake_seconds: float = Field(default=30.0, gt=0)
    #: A campaign that nothing drove for so long pauses until a person resumes it.
    late_after: float = Field(default=3600.0, gt=0)
    #: An issue that has work and does none for so long is told to its newsletter's owner.
    stalled_after: float = Field(default=600.0, gt=0)
    #: Copies per process that may be under way at once: what a crash can leave `unknown`.
    max_open_intents: int = Field(default=32, ge=1, le=1024)
    #: Outcomes are gathered for so long, unless the next copies to fly take them along.
    flush_seconds: float = Field(default=0.05, gt=0)
    #: The first wait before a copy is tried again; it doubles each time.
    retry_first: float = Field(default=60.0, gt=0)
    #: The first wait where haste helps nobody: a full mailbox, a provider that has enough.
    retry_slow: float = Field(default=900.0, gt=0)
    #: The longest wait.
    retry_most: float = Field(default=3600.0, gt=0)
    #: Ask the DNS, slowly and aside, which mailbox provider a domain belongs to.
    mx_lookups: bool = True
    #: How long the relay may take to connect.
    connect_timeout: float = Field(default=30.0, gt=0)
    #: How long it may take to answer a command.
    command_timeout: float = Field(default=300.0, gt=0)
    #: RFC 5321 4.5.3.2.6: ten minutes for the reply to the final dot.
    reply_timeout: float = Field(default=600.0, gt=0)
    #: How long a worker may take to finish what flies when it is asked to stop.
    grace_seconds: float = Field(default=30.0, gt=0)


class FuseSettings(Section):
    """When a campaign pauses itself to spare the sender's name: shares of 1; 1 is never.

    They hold for the campaign as a whole and for each lane, counted over the copies that were
    taken or refused for good.
    """

    #: Addresses that do not exist: a bought or very old list.
    hard_bounces: float = Field(default=0.05, ge=0, le=1)
    #: People who call it spam. Gmail and Yahoo want this below 0.001, never at 0.003.
    complaints: float = Field(default=0.003, ge=0, le=1)
    #: Refusals for good because of content, policy or reputation.
    refusals: float = Field(default=0.1, ge=0, le=1)
    #: Fewer copies than these say nothing yet.
    least: int = Field(default=100, ge=1)


class Settings(BaseSettings):
    """Everything about this deployment. What a newsletter is stands in the database."""

    model_config = SettingsConfigDict(
        env_prefix="PRESSRUN_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    #: SQLite, or `postgresql+psycopg://user@host/name`.
    database_url: str = "sqlite:///pressrun.db"
    #: Unset: workers are woken in their own process and poll the database.
    broker_url: str | None = None
    #: What links in messages start with.
    public_url: str = "http://127.0.0.1:8025"
    #: The domain whose mail comes back to this installation: turns on VERP and mailto: links.
    inbound_domain: str | None = None
    #: The keyring file made by `mailer init`; or its text in PRESSRUN_KEYS.
    keys_file: Path = Path("pressrun.keys")
    #: The keyring's text itself; set as PRESSRUN_KEYS.
    keys: SecretStr | None = None
    relay: RelaySettings = RelaySettings()
    #: More relays by name; mail is shared out by weight, and a sick one is left out.
    relays: dict[str, RelaySettings] = {}
    dkim: DkimSettings | None = None
    web: WebSettings = WebSettings()
    webhooks: WebhooksSettings = WebhooksSettings()
    sending: SendingSettings = SendingSettings()
    fuse: FuseSettings = FuseSettings()
    inbound: InboundSettings = InboundSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
    outgoing: OutgoingSettings = OutgoingSettings()

    @property
    def every_relay(self) -> dict[str, RelaySettings]:
        """All relays by name; `[relay]` is called `default`, where there is one."""
        if self.relays and "relay" not in self.model_fields_set:
            return dict(self.relays)
        return {"default": self.relay, **self.relays}

    @field_validator("public_url")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError("must be an http or https URL")
        return url.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("must start with sqlite:/// or postgresql+psycopg://")
        _check_port(url)
        return url

    @field_validator("broker_url")
    @classmethod
    def _known_broker(cls, url: str | None) -> str | None:
        if url and not url.startswith(("redis://", "rediss://", "amqp://", "amqps://")):
            raise ValueError("must start with redis:// or amqp://")
        _check_port(url or "")
        return url or None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment beats the file's values, which come in as arguments."""
        assert isinstance(init_settings, InitSettingsSource)
        return env_settings, init_settings


def _check_port(url: str) -> None:
    try:
        _ = urlsplit(url).port
    except ValueError as exc:
        raise ValueError("its port must be a number below 65536") from exc


def ignore_environment() -> None:
    """Forget our variables, for the children of this process too: only the file counts then."""
    for name in [name for name in os.environ if name.startswith("PRESSRUN_")]:
        del os.environ[name]


def load(config: Path | None = None) -> Settings:
    """Read the settings: `config`, else PRESSRUN_CONFIG, else ./pressrun.toml, if there.

    Raises SettingsInvalid naming the file or variable and what is wrong with it.
    """
    path, is_named = config_file(config)
    values = _read_file(path) if is_named or path.exists() else {}
    secrets = _read_secret_files()
    _refuse_unknown_variables()
    try:
        return Settings(**_merge(values, secrets))
    except ValidationError as exc:
        raise SettingsInvalid(_first_mistake(exc, path if values else None)) from exc
    except SettingsError as exc:
        raise SettingsInvalid(_not_json(exc)) from exc


def config_file(config: Path | None = None) -> tuple[Path, bool]:
    """Where the settings stand, and whether somebody named that file, who then means it."""
    named = config or (Path(v) if (v := os.environ.get("PRESSRUN_CONFIG")) else None)
    return named or Path(CONFIG_FILE), named is not None


#: Variables that are no settings: of this function, and of the tests.
_NOT_SETTINGS = frozenset({"config", "corpus", "test_seed"})


def _refuse_unknown_variables() -> None:
    """A mistyped variable would be passed over in silence, and with it what it was to change."""
    known = {*Settings.model_fields, *_NOT_SETTINGS}
    for variable in sorted(os.environ):
        if not variable.startswith("PRESSRUN_"):
            continue
        name = variable.removeprefix("PRESSRUN_").lower().partition("__")[0]
        if name not in known and name.removesuffix("_file") not in known:
            near = difflib.get_close_matches(name, known - _NOT_SETTINGS, n=1)
            hint = f"did you mean PRESSRUN_{near[0].upper()}?" if near else "see docs/settings.md"
            raise SettingsInvalid(f"{variable}: there is no such setting; {hint}")


def _read_file(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise SettingsInvalid(f"{path}: there is no such file; `mailer init` writes one") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsInvalid(f"{path}: can't be read: {exc}") from exc
    except tomllib.TOMLDecodeError as exc:
        raise SettingsInvalid(f"{path}: not valid TOML: {exc}") from exc
    return _relative_to(path.parent, values)


_WEBHOOK_FILES = ("password_file", "secret_file", "public_key_file")


def _relative_to(folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Paths in the file are meant from the file's own folder."""
    url = values.get("database_url", "")
    if isinstance(url, str) and url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        values["database_url"] = f"sqlite:///{folder / url.removeprefix('sqlite:///')}"
    webhooks = values.get("webhooks")
    providers = webhooks.values() if isinstance(webhooks, dict) else ()
    for section, names in (
        *((provider, _WEBHOOK_FILES) for provider in providers),
        (values, ("keys_file",)),
        (values.get("relay"), ("ca_file", "password_file", "token_file")),
        (values.get("web"), ("generic_secret_file", "metrics_token_file")),
        (values.get("inbound"), ("password_file",)),
        (values.get("dkim"), ("rsa_key", "ed25519_key")),
    ):
        for name in names:
            if isinstance(section, dict) and isinstance(section.get(name), str):
                section[name] = str(folder / section[name])
    return values


#: Settings that may hold a password: the variable's name with _FILE names a file with the value.
_SECRETS = ("database_url", "broker_url")


def _read_secret_files() -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in _SECRETS:
        variable = f"PRESSRUN_{name.upper()}_FILE"
        if file := os.environ.get(variable):
            try:
                values[name] = read_secret(variable, Path(file))
            except ValueError as exc:
                raise SettingsInvalid(str(exc)) from exc
    return values


def _merge(values: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = (
            _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
        )
    return merged


def _not_json(exc: SettingsError) -> str:
    """A variable that holds a whole table is read as JSON; name the one that is none."""
    section = str(exc).partition('"')[2].partition('"')[0].upper()
    name = f"PRESSRUN_{section}"
    told = [n for n in sorted(os.environ) if n == name or n.startswith(f"{name}__")]
    wrong = next((n for n in told if not os.environ[n].lstrip().startswith("{")), name)
    if name not in told:
        wrong = next((n for n in told if n.endswith("HEADERS")), wrong)
    return f"{wrong}: must be a table written as JSON; or set its values one by one: {name}__…"


def _first_mistake(exc: ValidationError, path: Path | None) -> str:
    mistake = exc.errors(include_url=False, include_input=False)[0]
    name = ".".join(str(part) for part in mistake["loc"])
    variable = "PRESSRUN_" + name.replace(".", "__").upper()
    where = variable if variable in os.environ or path is None else f"{path}: {name}"
    words = mistake["msg"].removeprefix("Value error, ")
    if mistake["type"] == "extra_forbidden":
        words = "there is no such setting; docs/settings.md lists them"
    return f"{where}: {words}"
