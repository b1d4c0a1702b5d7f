"""What the columns of a foreign file mean, by its profile or guessed from their names: pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

from subscribers.address import parse
from subscribers.attribute.model import Definition, Kind, check_name
from subscribers.errors import AddressInvalid, AttributeInvalid, ImportRefused
from subscribers.model import Status
from subscribers.transfer.model import Cells
from subscribers.transfer.profile.known import detect
from subscribers.transfer.profile.model import IGNORED, Profile, Rest
from subscribers.transfer.spreadsheet import unguard
from subscribers.transfer.standing import WORDS, Standing

MAX_COLUMNS = 100
MAX_NAME = 64

#: What a column holds that is an object of attributes, in JSON.
ATTRIBUTES = "attributes"

#: Names of columns as other services and people write them, without blanks and case.
_MEANINGS = {
    "email": (
        "email emailaddress mail emailadresse mailadresse correo courriel correoelectronico"
        " subscriberemail 邮箱 电子邮件 电子邮箱 メール メールアドレス 이메일 почта"
    ),
    "name": "name fullname displayname subscribername nombre nom 姓名 名前 氏名 이름 имя",
    "first_name": "firstname givenname forename fname vorname prenom prénom 名",
    "last_name": "lastname surname familyname lname nachname 姓",
    "language": "language lang locale languagecode sprache langue idioma 语言 言語 язык",
    "timezone": "timezone tz zeitzone 时区 タイムゾーン",
    "tags": "tags tag labels groups",
    "status": "status subscriptionstatus",
    "joined_at": "joinedat joined subscribedat signedupat optintime subscribeddate createdat",
    "requested_at": "requestedat",
    "requested_network": "requestednetwork",
    "confirmed_at": "confirmedat confirmtime",
    "confirmed_network": "confirmednetwork",
    "left_at": "leftat unsubscribedat unsubtime unsubscribedate",
    "left_reason": "leftreason unsubscribereason",
    ATTRIBUTES: "attributes attribs metadata customfields",
    "consents": "consents",
    # What an import wrote beside the rows it refused: mended, they may come again.
    IGNORED: "refusedline refusedreason",
}
MEANINGS = frozenset(_MEANINGS)
_MEANING = {word: meaning for meaning, words in _MEANINGS.items() for word in words.split()}
_NOT_A_WORD = re.compile(r"[^\w]+")
#: What `--column NAME=…` says to leave a column out.
_LEAVE_OUT = "-"


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The meaning of each column, an attribute's name where it has none of ours, in order.

    `attributes` are the attributes' names by position, `kinds` what they hold where that is not
    text; `headless`: the first row is a person. `standings` are the words of a status, `implied`
    where everybody stands whose row does not say. `profile`: whose file it is, where that is
    known. `guarded`: an apostrophe may stand before what a spreadsheet would run.
    """

    meanings: tuple[str, ...]
    attributes: Mapping[int, str]
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    headless: bool = False
    standings: Mapping[str, Standing] = field(default_factory=lambda: MappingProxyType(WORDS))
    implied: Status | None = None
    profile: Profile | None = None
    guarded: bool = True

    @cached_property
    def width(self) -> int:
        """How many there are."""
        return len(self.meanings)

    @cached_property
    def is_named(self) -> bool:
        """Whether each has a meaning."""
        return "" not in self.meanings

    @cached_property
    def place(self) -> int:
        """Where the address stands, in the first such column."""
        return self.meanings.index("email")

    @cached_property
    def names(self) -> tuple[tuple[int, ...], ...]:
        """Where names stand: the whole one, and the first with the last."""
        told = [
            tuple(at for one in wanted for at, said in enumerate(self.meanings) if said == one)
            for wanted in (("name",), ("first_name", "last_name"))
        ]
        return tuple(places for places in told if places)

    @cached_property
    def is_simple(self) -> bool:
        """Whether the file tells nothing but addresses, names and attributes, each once."""
        told = [meaning for meaning in self.meanings if meaning != IGNORED]
        once = len(self.told & {*told}) == len(told)
        return once and self.implied is None and not (self.told & MEANINGS) - _SIMPLE

    @cached_property
    def told(self) -> frozenset[str]:
        """All that the file tells."""
        return frozenset(self.meanings)

    @cached_property
    def typed_attributes(self) -> tuple[tuple[int, str, Kind], ...]:
        """Where each attribute stands, and what it holds."""
        return tuple(
            (at, name, self.kinds.get(name, Kind.TEXT)) for at, name in self.attributes.items()
        )

    @cached_property
    def has_history(self) -> bool:
        """Whether the file tells when and how people came and left."""
        told = {*_HISTORY} | ({"joined_at"} if self.profile else set())
        return bool(told & self.told)

    @property
    def objects(self) -> tuple[int, ...]:
        """The places of columns that hold objects of attributes."""
        return tuple(at for at, meaning in enumerate(self.meanings) if meaning == ATTRIBUTES)

    def typed(self, known: Mapping[str, Definition]) -> Columns:
        """The same columns, knowing what their attributes hold."""
        return replace(self, kinds={name: one.kind for name, one in known.items()})


_SIMPLE = frozenset({"email", "name", "first_name", "last_name", IGNORED})
_HISTORY = frozenset(
    {"requested_at", "requested_network", "confirmed_at", "confirmed_network"}
    | {"left_at", "left_reason", "consents"}
)


def read_header(
    first: Cells,
    *,
    profile: Profile | None = None,
    plain: bool = False,
    renamed: Mapping[str, str] = MappingProxyType({}),
    file: str = "",
    guarded: bool = True,
) -> Columns:
    """Understand a file's first row; raises ImportRefused with its line and column.

    The profile is found by the columns unless one is given, or `plain` says that there is none.
    `renamed` says what a column means, whatever it is called: a meaning, an attribute, or `-`.
    `file` is its name. A file of one column needs no header: its first row may be an address.
    """
    if first.problem:
        raise ImportRefused(f"{first.line}: the header {first.problem}")
    names = [unguard(cell).strip() if guarded else cell.strip() for cell in first.cells]
    if any("\0" in name for name in names):
        raise ImportRefused("is no text; export it as CSV, in the encoding UTF-8")
    if len(names) > MAX_COLUMNS:
        raise ImportRefused(f"{first.line}: there are more than {MAX_COLUMNS} columns; remove some")
    if _is_person(names):
        if len(names) == 1:
            return Columns(meanings=("email",), attributes={}, headless=True)
        raise ImportRefused(
            f"{first.line}: the first line is a person, not the columns' names;"
            " put a line such as email,name above it"
        )
    if profile is None and not plain:
        profile = detect({key for name in names for key in _keys(name)})
    meanings = _renamed(names, [_meaning(name, profile) for name in names], renamed)
    _refuse_unclear(first.line, names, meanings, profile)
    return Columns(
        meanings=tuple(meanings),
        attributes={
            at: meaning
            for at, meaning in enumerate(meanings)
            if meaning and meaning not in MEANINGS
        },
        standings=WORDS | dict(profile.statuses) if profile else WORDS,
        implied=_implied(names, profile, file),
        profile=profile,
        guarded=guarded,
    )


def of_file(profile: Profile, file: str) -> tuple[bool, Status | None]:
    """Whether a profile knows files of this name, and where people in them stand."""
    name = file.rpartition("/")[2].casefold()
    for start, status in profile.files.items():
        if name.startswith(start):
            return True, status
    return False, None


def _implied(names: Sequence[str], profile: Profile | None, file: str) -> Status | None:
    if profile is None:
        return None
    for name in names:
        if (status := profile.implied.get(_fold(name))) is not None:
            return status
    return of_file(profile, file)[1]


def _is_person(names: Sequence[str]) -> bool:
    for name in names:
        try:
            parse(name)
        except AddressInvalid:
            continue
        return True
    return False


def _fold(name: str) -> str:
    return _NOT_A_WORD.sub("", name.casefold()).replace("_", "")


def _keys(name: str) -> tuple[str, ...]:
    """By what a column may be known: by its name, or by the object that it is part of."""
    owner, dot, _ = name.partition(".")
    return (_fold(name), _fold(owner)) if dot else (_fold(name),)


def _meaning(name: str, profile: Profile | None) -> str:
    owner, dot, field_ = name.partition(".")
    if dot and _known(_fold(owner), profile) == ATTRIBUTES:
        return _attribute(_fold(owner), field_, profile)
    if known := _known(_fold(name), profile):
        return known
    if profile and profile.rest is Rest.IGNORE and name:
        return IGNORED
    if profile and profile.rest is Rest.ATTRIBUTE:
        return name
    return _as_attribute(name)


def _attribute(owner: str, name: str, profile: Profile | None) -> str:
    """What a part of an object of attributes means: an attribute, where it can be one."""
    if profile and (known := profile.columns.get(f"{owner}.{_fold(name)}")):
        return known
    attribute = name if profile and profile.rest is Rest.ATTRIBUTE else _as_attribute(name)
    try:
        return check_name(attribute)
    except AttributeInvalid:
        return _MEANING.get(_fold(name), attribute)


def _known(key: str, profile: Profile | None) -> str | None:
    if profile is None:
        return _MEANING.get(key)
    guess = _MEANING.get(key) if profile.rest is Rest.GUESS or key.startswith("refused") else None
    return profile.columns.get(key, guess)


def _as_attribute(name: str) -> str:
    return _NOT_A_WORD.sub("_", name.casefold()).strip("_")[:MAX_NAME]


def _renamed(names: Sequence[str], meanings: list[str], renamed: Mapping[str, str]) -> list[str]:
    places = {name.casefold(): at for at, name in enumerate(names)}
    for name, meaning in renamed.items():
        at = places.get(name.strip().casefold())
        if at is None:
            continue
        if meaning == _LEAVE_OUT:
            meanings[at] = IGNORED
        else:
            meanings[at] = meaning if meaning in MEANINGS else check_name(meaning)
    return meanings


def _refuse_unclear(
    line: int, names: Sequence[str], meanings: Sequence[str], profile: Profile | None
) -> None:
    if "email" not in meanings:
        raise ImportRefused(
            f"{line}: no column is named email; name one so, or say which it is with"
            f" --column NAME=email (here: {', '.join(names)[:200]})"
        )
    for at, meaning in enumerate(meanings):
        if meaning in ("", IGNORED, ATTRIBUTES) or meaning not in meanings[:at]:
            continue
        # A service may say the same thing in several columns: the first that is filled counts.
        if profile is None or meaning != profile.columns.get(_fold(names[at])):
            raise ImportRefused(
                f"{line}:{at + 1}: two columns mean {meaning} ({names[at]!r} and"
                f" {names[meanings.index(meaning)]!r}); rename or remove one, or say"
                f" --column {names[at]!r}=-"
            )
