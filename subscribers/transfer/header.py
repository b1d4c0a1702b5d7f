"""What the columns of a foreign file mean, guessed from their names: pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from subscribers.address import parse
from subscribers.attribute.model import Definition, Kind
from subscribers.errors import AddressInvalid, ImportRefused
from subscribers.transfer.model import Cells
from subscribers.transfer.spreadsheet import unguard

MAX_COLUMNS = 100
MAX_NAME = 64

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
    # What an import wrote beside the rows it refused: mended, they may come again.
    "ignored": "refusedline refusedreason",
}
_MEANING = {word: meaning for meaning, words in _MEANINGS.items() for word in words.split()}
_NOT_A_WORD = re.compile(r"[^\w]+")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The meaning of each column, an attribute's name where it has none of ours, in order.

    `attributes` are the attributes' names by position, `kinds` what they hold where that is not
    text; `headless`: the first row is a person.
    """

    meanings: tuple[str, ...]
    attributes: Mapping[int, str]
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    headless: bool = False

    @cached_property
    def named(self) -> bool:
        """Whether each column has a meaning."""
        return "" not in self.meanings

    def typed(self, known: Mapping[str, Definition]) -> Columns:
        """The same columns, knowing what their attributes hold."""
        return replace(self, kinds={name: one.kind for name, one in known.items()})


def read_header(first: Cells) -> Columns:
    """Understand a file's first row; raises ImportRefused with its line and column.

    A file of one column needs no header: its first row may be an address.
    """
    if first.problem:
        raise ImportRefused(f"{first.line}: the header {first.problem}")
    names = [unguard(cell).strip() for cell in first.cells]
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
    meanings = [_meaning(name) for name in names]
    _refuse_unclear(first.line, names, meanings)
    known = frozenset(_MEANINGS)
    attributes = {
        at: meaning for at, meaning in enumerate(meanings) if meaning and meaning not in known
    }
    return Columns(meanings=tuple(meanings), attributes=attributes)


def _is_person(names: Sequence[str]) -> bool:
    for name in names:
        try:
            parse(name)
        except AddressInvalid:
            continue
        return True
    return False


def _meaning(name: str) -> str:
    folded = name.casefold()
    known = _MEANING.get(_NOT_A_WORD.sub("", folded).replace("_", ""))
    return known or _NOT_A_WORD.sub("_", folded).strip("_")[:MAX_NAME]


def _refuse_unclear(line: int, names: Sequence[str], meanings: Sequence[str]) -> None:
    if "email" not in meanings:
        raise ImportRefused(
            f"{line}: no column is named email; name one so (here: {', '.join(names)[:200]})"
        )
    for at, meaning in enumerate(meanings):
        if meaning not in ("", "ignored") and meaning in meanings[:at]:
            raise ImportRefused(
                f"{line}:{at + 1}: two columns mean {meaning} ({names[at]!r} and"
                f" {names[meanings.index(meaning)]!r}); rename or remove one"
            )
