"""Which mailbox provider a domain belongs to: what pacing and backing off work on."""

from __future__ import annotations

from collections.abc import Sequence

#: The lane of all who are in no other.
OTHER = "other"

#: Well-known domains by provider.
DOMAINS: dict[str, tuple[str, ...]] = {
    "gmail": ("gmail.com", "googlemail.com"),
    "outlook": ("outlook.com", "hotmail.com", "live.com", "msn.com", "hotmail.co.uk", "outlook.de"),
    "yahoo": ("yahoo.com", "yahoo.co.uk", "yahoo.co.jp", "ymail.com", "aol.com", "rocketmail.com"),
    "icloud": ("icloud.com", "me.com", "mac.com"),
    "qq": ("qq.com", "foxmail.com"),
    "netease": ("163.com", "126.com", "yeah.net"),
    "gmx": ("gmx.de", "gmx.net", "gmx.com", "web.de"),
    "mailru": ("mail.ru", "inbox.ru", "list.ru", "bk.ru"),
    "proton": ("proton.me", "protonmail.com", "pm.me"),
}

#: The lane of each well-known domain.
SHIPPED = {domain: lane for lane, domains in DOMAINS.items() for domain in domains}

#: Who takes the mail of a domain whose MX host ends so.
MX_HOSTS: dict[str, str] = {
    "google.com": "gmail",
    "googlemail.com": "gmail",
    "outlook.com": "outlook",
    "mx.microsoft": "outlook",
    "hotmail.com": "outlook",
    "yahoodns.net": "yahoo",
    "icloud.com": "icloud",
    "qq.com": "qq",
    "netease.com": "netease",
    "163.com": "netease",
    "qiye163.com": "netease",
    "gmx.net": "gmx",
    "kundenserver.de": "ionos",
    "ionos.com": "ionos",
    "mail.ru": "mailru",
    "protonmail.ch": "proton",
    "yandex.ru": "yandex",
    "yandex.net": "yandex",
    "zoho.com": "zoho",
    "zoho.eu": "zoho",
    "messagingengine.com": "fastmail",
    "mimecast.com": "mimecast",
    "pphosted.com": "proofpoint",
    "ppe-hosted.com": "proofpoint",
    "barracudanetworks.com": "barracuda",
    "mail.ovh.net": "ovh",
    "secureserver.net": "godaddy",
    "aliyun.com": "aliyun",
    "mxhichina.com": "aliyun",
}

#: Every lane there is without a person's doing.
LANES = frozenset({OTHER, *DOMAINS, *MX_HOSTS.values()})


def lane_by_mx(hosts: Sequence[str]) -> str:
    """The lane of a domain by its MX hosts, the preferred ones first; OTHER for all unknown."""
    for host in hosts:
        labels = host.lower().rstrip(".").split(".")
        for start in range(len(labels)):
            if lane := MX_HOSTS.get(".".join(labels[start:])):
                return lane
    return OTHER
