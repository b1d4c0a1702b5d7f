"""A million people, written by the database itself: one by one they would take minutes."""

from __future__ import annotations

_PERSON = """
    INSERT INTO subscribers (id, address, address_key, address_hash, domain, domain_hash, name,
        language, attributes, tags, created_at)
    {before} SELECT i, 'person.' || i || '@mail' || (i % 97) || '.example',
        'person.' || i || '@mail' || (i % 97) || '.example', {address_hash},
        'mail' || (i % 97) || '.example', {domain_hash}, 'Nora Whitfield ' || i, 'en',
        '{{"plan": "free"}}', '[]', '2026-01-01 00:00:00' {numbers}
"""
_SUBSCRIPTION = """
    INSERT INTO subscriptions (newsletter_id, subscriber_id, status, joined_at, source,
        soft_bounces)
    SELECT {newsletter}, id, 'active', '2026-01-01 00:00:00', 'bench', 0 FROM subscribers
"""


def made_up(count: int, newsletter: int, *, sqlite: bool) -> tuple[str, str]:
    """The statements that write so many people and their subscriptions."""
    if sqlite:
        person = _PERSON.format(
            before="WITH RECURSIVE t(i) AS"
            f" (SELECT 1 UNION ALL SELECT i + 1 FROM t WHERE i < {count})",
            address_hash="randomblob(16)",
            domain_hash="CAST(substr('domain-hash-0000' || (i % 97), -16) AS BLOB)",
            numbers="FROM t",
        )
    else:
        person = _PERSON.format(
            before="",
            address_hash="decode(md5(i::text), 'hex')",
            domain_hash="decode(md5((i % 97)::text), 'hex')",
            numbers=f"FROM generate_series(1, {count}) AS t(i)",
        )
    return person, _SUBSCRIPTION.format(newsletter=newsletter)
