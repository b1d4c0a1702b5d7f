"""The notices there are."""

from __future__ import annotations

from enum import StrEnum

from mailer.render.model import SystemSlot


class Notice(StrEnum):
    """Mail that the service writes itself; each has a folder in `templates/notice`."""

    #: Asks whether the address is really theirs.
    CONFIRM = "confirm"
    #: The first mail after that.
    WELCOME = "welcome"
    #: The last one.
    GOODBYE = "goodbye"
    #: Asks somebody who looks at nothing any more whether to go on.
    STAY = "stay"
    #: Leads to all that is known of a person.
    DATA = "data"
    #: Asks once more before a person is erased.
    ERASE = "erase"
    #: Tells the owner of a newsletter that something needs them.
    ALARM = "alarm"


#: The page that a notice's button leads to; those without lead to the sign-up form, or nowhere.
BUTTON: dict[Notice, SystemSlot] = {
    Notice.CONFIRM: SystemSlot.CONFIRM_URL,
    Notice.WELCOME: SystemSlot.PREFERENCES_URL,
    Notice.STAY: SystemSlot.CONFIRM_URL,
    Notice.DATA: SystemSlot.DATA_URL,
    Notice.ERASE: SystemSlot.ERASE_URL,
}
