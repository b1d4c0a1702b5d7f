"""Which lane a domain belongs to, by its mail hosts."""

from __future__ import annotations

import pytest

from mailer.delivery.domains.queries import is_reserved
from mailer.delivery.lanes import DOMAINS, LANES, OTHER, SHIPPED, lane_by_mx


@pytest.mark.parametrize(
    ("hosts", "lane"),
    [
        (["aspmx.l.google.com", "alt1.aspmx.l.google.com"], "gmail"),
        (["corp-com.mail.protection.outlook.com"], "outlook"),
        (["corp.b-v1.mx.microsoft"], "outlook"),
        (["MX1.Mail.ICLOUD.com."], "icloud"),
        (["mx00.ionos.com"], "ionos"),
        (["mail.corp.net"], OTHER),
        # Only whole labels count.
        (["notgoogle.com"], OTHER),
        (["google.com.evil.net"], OTHER),
        # The first that is known.
        (["mail.corp.net", "mxa.mailgun.org", "mx.zoho.com"], "zoho"),
        ([], OTHER),
    ],
)
def test_lane_by_mail_hosts(hosts: list[str], lane: str) -> None:
    assert lane_by_mx(hosts) == lane


def test_a_domain_is_in_one_lane() -> None:
    assert len(SHIPPED) == sum(len(names) for names in DOMAINS.values())
    assert set(SHIPPED.values()) < LANES
    assert all(len(lane) <= 32 for lane in LANES)


@pytest.mark.parametrize(
    ("domain", "reserved"),
    [
        ("example.com", True),
        ("mail.example.org", True),
        ("corp.test", True),
        ("localhost", True),
        ("example", True),
        ("example.de", False),
        ("myexample.com", False),
    ],
)
def test_names_for_documentation_are_never_asked_for(domain: str, reserved: bool) -> None:
    assert is_reserved(domain) is reserved
