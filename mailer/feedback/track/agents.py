"""What a request alone says about who makes it: pure.

Names are those that programs give themselves. A mail service's image proxy that fetches when
the message is opened (Gmail's, Yahoo's, Outlook's) speaks for a person.
"""

from __future__ import annotations

import re
from functools import lru_cache

from mailer.feedback.track.model import Looker

#: Apple's Mail Privacy Protection calls itself this and nothing more.
_APPLE = "Mozilla/5.0"
#: What Gmail fetches ahead for somebody who is logged in; its proxy's own name is another.
_GMAIL_AHEAD = re.compile(r"Chrome/42\.0\.2311\.135 Safari/537\.36 Edge/12\.246 Mozilla/5\.0$")
_PERSONS_PROXY = re.compile(r"GoogleImageProxy|YahooMailProxy", re.IGNORECASE)
_PROGRAM = re.compile(
    # Crawlers and link previews; Cubot makes telephones.
    r"(?<!cu)bot\b|crawl|spider|slurp|preview|facebookexternalhit|whatsapp/|skypeuri"
    r"|urlscan|linkcheck|monitor"
    # Mail gateways that name themselves, and Office asking whether a link exists.
    r"|barracuda|proofpoint|mimecast|symantec|fireeye|trendmicro|cloudmark|sophos|zscaler"
    r"|office (?:existence|protocol) discovery"
    # Browsers without anybody in front, and HTTP libraries.
    r"|headless|phantomjs|puppeteer|playwright|selenium"
    r"|^(?:curl|wget|python|go-http|java|libwww|lwp|php|ruby|perl|axios|node|apache-httpclient"
    r"|guzzle|httpie|aiohttp|scrapy|okhttp)\b",
    re.IGNORECASE,
)
#: Apps show pictures in mail with this library; nobody follows a link with it.
_PICTURES = re.compile(r"^okhttp\b", re.IGNORECASE)
_AHEAD = re.compile(r"prefetch|preview|prerender", re.IGNORECASE)


def machine(method: str, agent: str, purpose: str, *, opens: bool) -> Looker | None:
    """What kind of machine a request admits to be; None where nothing speaks against a person.

    `purpose` is the (Sec-)Purpose header; `opens`: the pixel is fetched, not a link followed.
    """
    if method == "HEAD":
        return Looker.HEAD
    if purpose and _AHEAD.search(purpose):
        return Looker.PREFETCH
    return _by_name(agent[:400], opens)


@lru_cache(maxsize=4096)
def _by_name(agent: str, opens: bool) -> Looker | None:
    if _PERSONS_PROXY.search(agent):
        return None
    if agent == _APPLE or _GMAIL_AHEAD.search(agent):
        return Looker.PREFETCH
    if not agent.strip() or (_PROGRAM.search(agent) and not (opens and _PICTURES.search(agent))):
        return Looker.SCANNER
    return None
