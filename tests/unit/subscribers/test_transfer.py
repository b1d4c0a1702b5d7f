"""Foreign files: encodings, delimiters, headers, and rows that must not spoil others."""

from __future__ import annotations

import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.errors import ImportRefused
from subscribers.model import Status
from subscribers.transfer.header import read_header
from subscribers.transfer.model import Cells, Entry
from subscribers.transfer.row import RowRefused, read_row
from subscribers.transfer.sheet import MAX_CHARACTERS, open_sheet
from subscribers.transfer.spreadsheet import guard, unguard


def records(content: bytes) -> list[Cells]:
    return [*open_sheet(io.BytesIO(content)).records()]


def entry(header: str, row: str) -> Entry:
    columns = read_header(Cells(line=1, cells=tuple(header.split(","))))
    return read_row(Cells(line=2, cells=tuple(row.split(","))), columns)


TEXT = "email,name\nada@example.org,Zoë Ünal\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
def test_an_encoding_is_found(encoding: str) -> None:
    rows = records(TEXT.encode(encoding))
    assert [row.cells for row in rows] == [("email", "name"), ("ada@example.org", "Zoë Ünal")]


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        pytest.param("email;name\na@x.org;A, B\n", ("a@x.org", "A, B"), id="semicolon"),
        pytest.param("email\tname\na@x.org\tA\n", ("a@x.org", "A"), id="tab"),
        pytest.param("email|name\na@x.org|A\n", ("a@x.org", "A"), id="bar"),
        pytest.param('"a;b;c",email\nx,a@x.org\n', ("x", "a@x.org"), id="quoted header"),
        pytest.param("sep=;\nemail;name\na@x.org;A\n", ("a@x.org", "A"), id="sep line"),
        pytest.param("email\r\na@x.org\r\n", ("a@x.org",), id="crlf"),
        pytest.param("email\ra@x.org\r", ("a@x.org",), id="old mac"),
        pytest.param("\n\nemail\n\na@x.org", ("a@x.org",), id="blank lines, no last line end"),
        pytest.param('email,name\na@x.org,"A ""B"" C"\n', ("a@x.org", 'A "B" C'), id="quotes"),
        pytest.param('email,name\na@x.org,"two\nlines"\n', ("a@x.org", "two\nlines"), id="lines"),
    ],
)
def test_a_dialect_is_found(content: str, cells: tuple[str, ...]) -> None:
    assert records(content.encode())[-1].cells == cells


GOOD = "good@example.org,Good"


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        pytest.param(b'a@x.org,"never closed', "never closed", id="open quote"),
        pytest.param(b'a@x.org,"in" the middle', "quote within", id="stray quote"),
        pytest.param(b"a@x.org," + b"x" * 1_000_000, "longer than", id="a megabyte"),
        pytest.param(b'a@x.org,"' + b"x" * 1_000_000 + b'"', "longer than", id="quoted megabyte"),
        pytest.param(b"a@x.org,caf\xe9", "not in the file's encoding", id="mixed encodings"),
    ],
)
def test_a_bad_record_spoils_no_other(bad: bytes, word: str) -> None:
    # Enough letters beyond ASCII to show that the file is UTF-8.
    first = "email,name\nü@example.org,Müller-Öz\n".encode()
    content = first + bad + f"\n{GOOD}\n{GOOD}\n".encode()
    rows = records(content)
    assert [row.line for row in rows] == [1, 2, 3, 4, 5]
    assert [bool(row.problem) for row in rows] == [False, False, True, False, False]
    assert word in str(rows[2].problem)
    assert rows[4].cells == tuple(GOOD.split(","))


def test_memory_stays_flat_on_a_line_without_end() -> None:
    rows = records(b"email\n" + b"x" * 5_000_000)
    assert len(rows) == 2
    assert sum(len(cell) for cell in rows[1].cells) <= MAX_CHARACTERS


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"  \n"], ids=range(4))
def test_an_empty_file_says_so(content: bytes) -> None:
    with pytest.raises(ImportRefused, match="is empty"):
        open_sheet(io.BytesIO(content))


@given(st.binary(max_size=400))
def test_no_bytes_at_all_raise_anything_else(content: bytes) -> None:
    try:
        rows = records(content)
        columns = read_header(rows[0])
    except (ImportRefused, IndexError):
        return
    for row in rows[1:]:
        with suppress(RowRefused):
            assert read_row(row, columns).address.key


@given(st.text())
def test_guarding_a_cell_is_undone(text: str) -> None:
    assert unguard(guard(text)) == text
    assert not guard(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "'=1", "＝1"])
def test_a_formula_is_guarded(cell: str) -> None:
    assert guard(cell) == f"'{cell}"


@pytest.mark.parametrize(
    ("header", "meanings"),
    [
        pytest.param("E-Mail Address,Full Name", ("email", "name"), id="english"),
        pytest.param("EMAIL,First Name,LAST_NAME", ("email", "first_name", "last_name"), id="case"),
        pytest.param("邮箱,姓名,语言", ("email", "name", "language"), id="chinese"),
        pytest.param("メールアドレス,名前", ("email", "name"), id="japanese"),
        pytest.param(
            "email,Favourite Colour!,plan", ("email", "favourite_colour", "plan"), id="own"
        ),
        pytest.param("email,,", ("email", "", ""), id="unnamed columns"),
        pytest.param(
            "refused_line,refused_reason,email", ("ignored", "ignored", "email"), id="refused file"
        ),
    ],
)
def test_columns_are_understood(header: str, meanings: tuple[str, ...]) -> None:
    assert read_header(Cells(line=1, cells=tuple(header.split(",")))).meanings == meanings


@pytest.mark.parametrize(
    ("header", "message"),
    [
        pytest.param("name,plan", "1: no column is named email", id="no email"),
        pytest.param("email,plan,Plan", "1:3: two columns mean plan", id="duplicate"),
        pytest.param("email,E-Mail", "1:2: two columns mean email", id="two addresses"),
        pytest.param("a@x.org,Ada", "1: the first line is a person", id="no header"),
        pytest.param("email" + ",x" * 200, "1: there are more than 100 columns", id="too many"),
    ],
)
def test_an_unclear_header_is_refused_with_its_place(header: str, message: str) -> None:
    with pytest.raises(ImportRefused) as caught:
        read_header(Cells(line=1, cells=tuple(header.split(","))))
    assert str(caught.value).startswith(message)


def test_a_list_of_bare_addresses_needs_no_header() -> None:
    assert read_header(Cells(line=1, cells=("ada@example.org",))).headless


def test_a_row_says_all_it_can() -> None:
    one = entry(
        "email,first name,last name,lang,tz,tags,status,joined,plan",
        "ada@x.org, Ada ,Byron,pt_BR,Asia/Tokyo,a; b|a,Subscribed,2024-02-29,'=pro",
    )
    assert (one.name, one.language, one.timezone) == ("Ada Byron", "pt-BR", "Asia/Tokyo")
    assert (one.tags, one.status, one.attributes) == (("a", "b"), Status.ACTIVE, {"plan": "=pro"})
    assert one.joined_at is not None
    assert one.joined_at.isoformat() == "2024-02-29T00:00:00+00:00"


HEADER = "email,name,language,timezone,status,joined,"


@pytest.mark.parametrize(
    ("row", "word"),
    [
        pytest.param("nobody,,,,,,", "no @", id="address"),
        pytest.param("a@x.org,A", "has 2 cells", id="ragged short"),
        pytest.param("a@x.org,A,,,,,,,", "has 9 cells", id="ragged long"),
        pytest.param("a@x.org,A\0,,,,,", "U+0000 in column 2", id="nul"),
        pytest.param("a@x.org,\u202eevE,,,,,", "U+202E in column 2", id="bidi"),
        pytest.param(f"a@x.org,{'x' * 300},,,,,", "200 characters", id="long name"),
        pytest.param(f"a@x.org,{'x' * 3000},,,,,", "1,000 characters", id="very long name"),
        pytest.param("a@x.org,A,English,,,,", "write a code", id="language"),
        pytest.param("a@x.org,A,,Mars/Olympus,,,", "Europe/Berlin", id="time zone"),
        pytest.param("a@x.org,A,,,maybe,,", "write one of", id="status"),
        pytest.param("a@x.org,A,,,,1/2/24,", "write it like", id="date"),
        pytest.param("a@x.org,A,,,,,loose", "column 7", id="unnamed column"),
    ],
)
def test_a_bad_row_is_refused_with_reason_and_remedy(row: str, word: str) -> None:
    with pytest.raises(RowRefused) as caught:
        entry(HEADER, row)
    assert word in str(caught.value)
    assert "; " in str(caught.value)
