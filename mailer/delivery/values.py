"""What slots and conditions of a rendering come to, for one recipient."""

from __future__ import annotations

from collections.abc import Mapping

from mailer.campaign.track import click_url
from mailer.delivery.headers import MAX_HEADER_VALUE
from mailer.delivery.model import Recipient
from mailer.delivery.personalise import Field, Truths
from mailer.issue.expression import Expression, evaluate, holds, parse
from mailer.render.escape import escape
from mailer.render.model import Escape, Rendering, SlotKind, SystemSlot
from subscribers.model import Newsletter
from subscribers.token import Keyring, Scope, make

#: Longer values are cut: nobody's name may make a message of a megabyte.
MAX_VALUE = 2000

_PAGES: Mapping[str, tuple[str, Scope]] = {
    SystemSlot.UNSUBSCRIBE_URL: ("/u/", Scope.UNSUBSCRIBE),
    SystemSlot.ARCHIVE_URL: ("/v/", Scope.VIEW),
    SystemSlot.PREFERENCES_URL: ("/p/", Scope.PREFERENCES),
}
#: Pages that only notices lead to: no author's expression may name them.
_NOTICE_PAGES: Mapping[str, tuple[str, Scope]] = {
    SystemSlot.CONFIRM_URL: ("/c/", Scope.CONFIRM),
    SystemSlot.DATA_URL: ("/d/", Scope.DATA),
    SystemSlot.ERASE_URL: ("/e/", Scope.ERASE),
}


class Sources:
    """The expressions of a rendering, and all that is the same for every recipient."""

    def __init__(
        self,
        rendering: Rendering,
        newsletter: Newsletter,
        *,
        issue_number: int | None,
        keyring: Keyring,
        public_url: str,
        campaign_id: int = 0,
    ) -> None:
        self.keyring = keyring
        self._campaign_id = campaign_id
        self.expressions = {
            slot.source: parse(slot.source)
            for slot in rendering.slots
            if slot.kind is SlotKind.VALUE
        }
        self.conditions = [parse(condition.source) for condition in rendering.conditions]
        self.constants = _constants(rendering, newsletter, issue_number)
        self.names_pages = any(
            path[0] == "message" for each in self._all_expressions() for path in each.names
        )
        self._public_url = public_url.rstrip("/")

    def of(self, recipient: Recipient) -> RecipientValues:
        """The values of one recipient."""
        return RecipientValues(self, recipient)

    def page(self, slot: str, delivery_id: int) -> str:
        """What only the delivery knows: a page's URL, or the token that shows this copy."""
        if slot == SystemSlot.SUBSCRIBER_TOKEN:
            return make(self.keyring, Scope.VIEW, delivery_id)
        if slot == SystemSlot.CLICK_URL:
            return click_url(self._public_url, self.keyring, self._campaign_id, delivery_id)
        path, scope = _PAGES.get(slot) or _NOTICE_PAGES[slot]
        return self._public_url + path + make(self.keyring, scope, delivery_id)

    def _all_expressions(self) -> list[Expression]:
        return [*self.expressions.values(), *self.conditions]


class RecipientValues:
    """One recipient's values; `truths` says which conditions hold, in the rendering's order."""

    def __init__(self, sources: Sources, recipient: Recipient) -> None:
        self._sources = sources
        self._delivery_id = recipient.delivery_id
        self._known: dict[str, str] = {}
        self._pages: dict[str, str] = {}
        self._fields = self._plain_fields(recipient)
        self.truths: Truths = tuple(holds(each, self._fields) for each in sources.conditions)

    def in_body(self, field: Field) -> str:
        """A value escaped for its place in a body."""
        if field.kind is SlotKind.SYSTEM and field.escape is not Escape.URL:
            # A URL or token of ours has nothing that HTML escapes.
            return self.page(field.source)
        return escape(self._value(field)[:MAX_VALUE], field.escape)

    def in_header(self, field: Field) -> str:
        """A value for the subject."""
        return escape(self._value(field)[:MAX_HEADER_VALUE], field.escape)

    def page(self, slot: str) -> str:
        """The URL or token for a SystemSlot, made once a message."""
        known = self._pages.get(slot)
        if known is None:
            known = self._pages[slot] = self._sources.page(slot, self._delivery_id)
        return known

    def _value(self, field: Field) -> str:
        if field.kind is SlotKind.SYSTEM:
            return self.page(field.source)
        known = self._known.get(field.source)
        if known is None:
            value = evaluate(self._sources.expressions[field.source], self._fields)
            known = value if isinstance(value, str) else str(value).lower()
            self._known[field.source] = known
        return known

    def _plain_fields(self, recipient: Recipient) -> dict[str, object]:
        fields: dict[str, object] = {
            **self._sources.constants,
            "subscriber": {
                "id": recipient.subscriber_id,
                "name": recipient.name,
                "email": recipient.address,
                "language": recipient.language,
                "attributes": recipient.attributes,
            },
        }
        if self._sources.names_pages:
            fields["message"] = {name: self.page(name) for name in _PAGES}
        return fields


def _constants(
    rendering: Rendering, newsletter: Newsletter, issue_number: int | None
) -> Mapping[str, object]:
    """What expressions may ask besides the subscriber, where they mix both."""
    names = ("name", "url", "from_name", "from_address", "postal_address", "language")
    return {
        "newsletter": {name: getattr(newsletter, name) for name in names},
        "issue": {"number": issue_number, "subject": rendering.title},
    }
