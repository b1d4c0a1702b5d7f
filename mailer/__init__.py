"""Pressrun: from an issue file to one copy in each subscriber's mailbox.

::

    issue.md ─parse→ ParsedIssue ─mjml→ MJML ─html→ HTML (inlined) + text
             ─freeze→ Campaign ─schedule→ due

    due ─snapshot→ deliveries in chunks ─queue(ids)→ worker:
        claim → personalise → compose → sign → gate → SMTP → outcome

    webhook / DSN / ARF / one-click / click ─parse→ Event
        ─record→ delivery + subscriber state ─→ report

Each stage is a package, and imports go one way along the flow: ``issue``, ``render``, ``lint``,
``campaign``, ``diagnosis``, ``delivery``, ``notice``, ``webhooks``, ``feedback``, ``report``,
then the three entries ``queue``, ``web`` and ``cli``. Who the people are is the business of the
package ``subscribers``, which knows nothing of this one.
"""

__version__ = "0.1.0"
