"""`mailer doctor` against a real name server, relay, web server and broker, each well and not."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from cryptography import x509

from mailer.doctor.model import Finding, Status
from mailer.doctor.site import ONE_CLICK, WHAT, site
from mailer.lookup import Dns
from mailer.settings import Settings, load
from mailer.web.app import create_app
from mailer.web.server import bind, server
from mailer.web.services import WebServices
from subscribers.database import Database
from subscribers.token import Keyring
from tests.integration.delivery.test_smtp_connect import certificate
from tests.integration.operate.conftest import Home
from tests.services.dns import NameServer
from tests.services.process import free_port

Zone = dict[tuple[str, str], list[str]]
GOOD: Zone = {
    ("example.com", "MX"): ["10 mx.example.com."],
    ("example.com", "TXT"): ['"v=spf1 ip4:192.0.2.7 ~all"'],
    ("_dmarc.example.com", "TXT"): ['"v=DMARC1; p=none; rua=mailto:d@example.com"'],
    ("mx.example.com", "A"): ["192.0.2.7"],
    ("7.2.0.192.in-addr.arpa", "PTR"): ["mx.example.com."],
}


def look(home: Home, zone: Zone, *arguments: str, code: int | None = None) -> dict[str, Finding]:
    """What the doctor says, by what it is about."""
    with NameServer(zone=zone) as names:
        host, port = names.address
        said = home.run("doctor", "--json", "--dns-server", f"{host}:{port}", *arguments, code=code)
    return {
        told["what"]: Finding(
            what=told["what"],
            status=Status(told["status"]),
            words=told["words"],
            remedy=told["remedy"] + " ".join(record["line"] for record in told["publish"]),
        )
        for told in json.loads(said.out)
    }


def test_an_installation_that_is_well(home: Home) -> None:
    made = json.loads(home.run("dkim", "new", "--selector", "s1", "--add", "--json").out)
    zone = {**GOOD, (made["name"], "TXT"): [made["line"].partition(" IN TXT ")[2]]}
    with serving(home) as url:
        home.configure(f'public_url = "{url}"')
        home.configure('inbound_domain = "bounces.example.com"')
        zone |= {
            ("bounces.example.com", "MX"): ["10 mx.example.com."],
            ("bounces.example.com", "TXT"): ['"v=spf1 mx -all"'],
        }
        told = look(home, zone, "--ip", "192.0.2.7", code=0)
    not_well = {name for name, found in told.items() if found.status is not Status.OK}
    # This machine alone knows 127.0.0.1, which is enough to try things out.
    assert not_well == {"public URL"}
    assert told["public URL"].status is Status.WARNING
    assert told[ONE_CLICK].words == "a mail program's POST comes through"
    assert told["DMARC example.com"].words == "p=none, aligned by DKIM and SPF"
    assert told["SPF bounces.example.com"].words == "v=spf1 mx -all"
    assert told["PTR 192.0.2.7"].status is Status.OK
    assert "this version's schema" in told["database"].words


@contextmanager
def serving(home: Home) -> Iterator[str]:
    """The web process of this installation, on a free port."""
    settings = load(home.settings)
    listener = bind(settings.web.model_copy(update={"port": 0}))
    app = create_app(
        WebServices(settings=settings, database=home.world.database, keyring=home.world.keyring)
    )
    web = server(app)
    thread = threading.Thread(target=web.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    web.should_exit = True
    thread.join(15)
    listener.close()


# -- one thing wrong at a time ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "what", "status", "words", "remedy"),
    [
        (
            {("example.com", "TXT"): ['"hello"']},
            *("SPF example.com", Status.ERROR, "there is no record"),
            'example.com. IN TXT "v=spf1 mx ~all"',
        ),
        (
            {("example.com", "TXT"): ['"v=spf1 -all"', '"v=spf1 mx -all"']},
            *("SPF example.com", Status.ERROR, "2 SPF records", "one record"),
        ),
        (
            {("example.com", "TXT"): ['"v=spf1 ip4:198.51.100.1 ~all"']},
            *("SPF example.com", Status.ERROR, "does not let 192.0.2.7 send"),
            '"v=spf1 ip4:198.51.100.1 ip4:192.0.2.7 ~all"',
        ),
        (
            {("example.com", "TXT"): ['"v=spf1 +all"']},
            *("SPF example.com", Status.WARNING, "everybody", "~all"),
        ),
        (
            {("example.com", "TXT"): ["SERVFAIL"]},
            *("SPF example.com", Status.ERROR, "answer with an error", "name servers"),
        ),
        (
            {("_dmarc.example.com", "TXT"): []},
            *("DMARC example.com", Status.ERROR, "no policy"),
            '_dmarc.example.com. IN TXT "v=DMARC1; p=none; rua=mailto:postmaster@example.com"',
        ),
        (
            {("_dmarc.example.com", "TXT"): ['"v=DMARC1; p=reject"']},
            *("DMARC example.com", Status.WARNING, "nobody is told"),
            '"v=DMARC1; p=reject; rua=mailto:postmaster@example.com"',
        ),
        (
            {("example.com", "MX"): ["0 ."]},
            *("mail to example.com", Status.ERROR, "null MX", "lost"),
        ),
        (
            {("example.com", "MX"): []},
            *("mail to example.com", Status.ERROR, "goes nowhere", "MX"),
        ),
        (
            {("7.2.0.192.in-addr.arpa", "PTR"): []},
            *("PTR 192.0.2.7", Status.ERROR, "has no name", "ask who gave you the address"),
        ),
        (
            {("mx.example.com", "A"): ["192.0.2.8"]},
            *("PTR 192.0.2.7", Status.ERROR, "mx.example.com is not 192.0.2.7"),
            "mx.example.com. IN A 192.0.2.7",
        ),
    ],
)
def test_what_is_wrong_in_the_dns(
    home_on_sqlite: Home, changed: Zone, what: str, status: Status, words: str, remedy: str
) -> None:
    told = look(home_on_sqlite, {**GOOD, **changed}, "--ip", "192.0.2.7", code=1)[what]
    assert told.status is status
    assert words in told.words
    assert remedy in told.remedy


@pytest.mark.parametrize(
    ("record", "status", "words"),
    [
        (None, Status.ERROR, "has no key"),
        ('"v=DKIM1; k=rsa; p="', Status.ERROR, "revoked"),
        ('"v=DKIM1; k=rsa; p=MIIBIjANBgkq"', Status.ERROR, "another key than ours"),
        ('"v=DKIM1; k=ed25519; p={p}"', Status.ERROR, "wrong kind"),
        ('"v=DKIM1; t=y; p={p}"', Status.WARNING, "only a test"),
        ('"v=DKIM1; p={p}"', Status.OK, "has our key"),
    ],
)
def test_dkim_keys_that_are_published(
    home_on_sqlite: Home, record: str | None, status: Status, words: str
) -> None:
    home = home_on_sqlite
    made = json.loads(home.run("dkim", "new", "--selector", "s1", "--add", "--json").out)
    key = made["value"].partition("p=")[2]
    halves = f'{key[:200]}" "{key[200:]}'
    zone = {**GOOD, (made["name"], "TXT"): [record.replace("{p}", halves)] if record else []}
    told = look(home, zone)["DKIM s1"]
    assert told.status is status
    assert words in told.words
    assert (status is Status.OK) or made["name"] in told.remedy


def test_a_return_path_of_another_house_needs_our_signature(home_on_sqlite: Home) -> None:
    home = home_on_sqlite
    home.configure('inbound_domain = "bounces.other.net"')
    zone = {**GOOD, ("bounces.other.net", "TXT"): ['"v=spf1 ip4:192.0.2.7 -all"']}
    told = look(home, zone, code=1)
    assert "not aligned" in told["DMARC example.com"].words
    assert "mailer dkim new --domain example.com" in told["DMARC example.com"].remedy
    assert "bounces have nowhere to go" in told["MX bounces.other.net"].words


def test_behind_a_relay_that_signs_nothing_is_claimed_of_our_own(home_on_sqlite: Home) -> None:
    """Neither our signature nor our Return-Path survives there: DMARC rests on the relay's."""
    home = home_on_sqlite
    home.run("dkim", "new", "--selector", "s1", "--add")
    home.configure('inbound_domain = "in.example.com"')
    home.configure('[relay]\ndialect = "postmark"\nstream = "broadcast"', instead_of="[relay]")
    told = look(home, GOOD)
    assert "SPF example.com" in told
    assert told["DKIM"].status is Status.UNKNOWN
    assert "mailer dkim new" not in told["DKIM"].remedy
    assert told["DMARC example.com"].status is Status.UNKNOWN
    assert "where the relay signs for example.com" in told["DMARC example.com"].words


def test_where_no_name_server_answers_nothing_is_held_against_it(
    home_on_sqlite: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailer.lookup.LIFETIME", 0.2)
    home = home_on_sqlite
    with serving(home) as url:
        home.configure(f'public_url = "{url}"')
        said = home.run("doctor", "--dns-server", f"127.0.0.1:{free_port()}", code=0)
    assert "unknown  SPF example.com: could not be looked up: no name server answers" in said.out
    assert "not looked up" in said.out


# -- the machine -----------------------------------------------------------------------------


def test_what_is_wrong_on_this_machine(home_on_sqlite: Home) -> None:
    home = home_on_sqlite
    relay = f"port = {free_port()}"
    home.configure(relay, instead_of=home.settings.read_text().partition("\n")[2].split("\n")[3])
    home.configure(f'public_url = "http://127.0.0.1:{free_port()}"')
    (home.folder / "pressrun.keys").chmod(0o644)
    told = look(home, GOOD, code=1)
    assert told["relay default"].status is Status.ERROR
    assert told["public URL"].status is Status.ERROR
    assert "chmod 600" in told["keys"].remedy
    (home.folder / "pressrun.keys").unlink()
    assert look(home, GOOD)["keys"].status is Status.ERROR


def test_a_database_that_is_old_or_out_of_reach(home: Home) -> None:
    from sqlalchemy import text

    with home.world.database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    told = look(home, GOOD, code=1)["database"]
    assert "mailer db upgrade" in told.remedy
    nowhere = f"postgresql+psycopg://ann:hunter2@127.0.0.1:{free_port()}/x"
    home.configure(
        f'database_url = "{nowhere}"', instead_of=home.settings.read_text().split("\n")[0]
    )
    said = home.run("doctor", "--json", "--dns-server", "127.0.0.1:9", code=1)
    assert json.loads(said.out)[0]["status"] == "error"
    assert "hunter2" not in said.out


def test_no_database_is_made_by_looking_for_it(home_on_sqlite: Home) -> None:
    home = home_on_sqlite
    lines = home.settings.read_text().split("\n")
    home.configure('database_url = "sqlite:///none.db"', instead_of=lines[0])
    assert look(home, GOOD, code=1)["database"].status is Status.ERROR
    assert not [*home.folder.glob("none.db*")]


@pytest.mark.parametrize("kind", ["redis", "amqp"])
def test_a_broker_that_does_not_answer(home_on_sqlite: Home, kind: str) -> None:
    home_on_sqlite.configure(f'broker_url = "{kind}://127.0.0.1:{free_port()}/"')
    told = look(home_on_sqlite, GOOD, code=1)["broker"]
    assert told.status is Status.ERROR
    assert "the broker does not answer" in told.words


def test_each_broker_is_greeted(home_on_sqlite: Home, broker_url: str | None) -> None:
    if broker_url:
        home_on_sqlite.configure(f'broker_url = "{broker_url}"')
    assert look(home_on_sqlite, GOOD)["broker"].status is Status.OK


@pytest.mark.parametrize(
    "arguments", [("--ip", "1.2.3"), ("--dns-server", "nowhere"), ("--dns-server", "1.1.1.1:x")]
)
def test_a_mistake_is_one_line(home_on_sqlite: Home, arguments: tuple[str, str]) -> None:
    said = home_on_sqlite.run("doctor", *arguments, code=2)
    assert said.err.count("\n") == 1
    assert arguments[0] in said.err


# -- https, as the world sees it -------------------------------------------------------------


@pytest.fixture
def site_names() -> Iterator[NameServer]:
    with NameServer(zone={("news.example.com", "A"): ["127.0.0.1"]}) as names:
        yield names


@contextmanager
def in_tls(folder: Path, home: Home, keyring: Keyring) -> Iterator[tuple[Settings, ssl.SSLContext]]:
    """The web process behind https://news.example.com, with a certificate of its own."""
    _, authority = certificate(folder, x509.DNSName("news.example.com"))
    settings = load(home.settings)
    app = create_app(WebServices(settings=settings, database=home.world.database, keyring=keyring))
    port, pem = free_port(), str(folder / "relay.pem")
    config = uvicorn.Config(app, port=port, ssl_certfile=pem, log_level="error")
    web = uvicorn.Server(config)
    thread = threading.Thread(target=web.run)
    thread.start()
    while not web.started:
        thread.join(0.05)
    url = f"https://news.example.com:{port}"
    trusted = ssl.create_default_context(cafile=authority)
    yield settings.model_copy(update={"public_url": url}), trusted
    web.should_exit = True
    thread.join(15)


def test_https_with_a_certificate_that_holds_and_one_that_does_not(
    home_on_sqlite: Home, tmp_path: Path, site_names: NameServer
) -> None:
    home = home_on_sqlite
    dns = Dns(site_names.address)
    with in_tls(tmp_path, home, home.world.keyring) as (settings, trusted):
        found = {one.what: one for one in site(settings, home.world.keyring, dns, trusted)}
        assert found[ONE_CLICK].status is Status.OK
        assert found["clock of the public URL"].status is Status.OK
        # The name leads to this machine: from outside nobody would get here.
        assert "which the world can't reach" in found[WHAT].words
        [untrusted] = [*site(settings, home.world.keyring, dns)]
        assert "CERTIFICATE_VERIFY_FAILED" in untrusted.words


def test_another_installation_at_our_url_is_told_by_its_keys(
    home_on_sqlite: Home, tmp_path: Path, site_names: NameServer
) -> None:
    home = home_on_sqlite
    with in_tls(tmp_path, home, Keyring.generate()) as (settings, trusted):
        ours = home.world.keyring
        found = {one.what: one for one in site(settings, ours, Dns(site_names.address), trusted)}
    assert found[ONE_CLICK].status is Status.ERROR
    assert "the same pressrun.keys" in found[ONE_CLICK].remedy


def test_a_new_database_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    from mailer import migrations

    file = tmp_path / "new.db"
    database = Database(f"sqlite:///{file}")
    migrations.upgrade(database)
    database.dispose()
    assert file.stat().st_mode & 0o777 == 0o600
