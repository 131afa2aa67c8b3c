"""Where statements end: as DuckDB reads them, whatever stands in their strings and comments."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repstore.storage.catalog.lexing import is_remark, statements, tokens

QUOTED = ["'a;b'", "'it''s; one'", '"a;b"', "$$ ; ' $$", "$x$ ;$$; $x$", "e'\\';'", "'é;😀'"]
REMARKS = ["-- a; b's\n", "/* ; ' */", "/* /* ; */ ; */", "\n", " \t"]
expressions = st.lists(st.sampled_from(QUOTED), min_size=1, max_size=3).map(" || ".join)
remarks = st.lists(st.sampled_from(REMARKS), max_size=2).map("".join)
selects = st.builds("{}SELECT {}{} AS x{}".format, remarks, remarks, expressions, remarks)


@settings(max_examples=200, deadline=None)
@given(st.lists(selects, max_size=4), remarks)
def test_statements_end_where_duckdb_ends_them(made, rest):
    ended, left = statements("".join(f"{select};" for select in made) + rest)
    assert ended == [f"{select};".strip() for select in made]
    assert (left, is_remark(left)) == (rest, True)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="a1'\"$-/*;\n .é😀\\e()", max_size=12))
def test_any_text_is_cut_into_pieces_that_stand_where_they_say(text):
    found = tokens(text)
    assert all(text.startswith(token.text, token.start) for token in found)
    assert [len(text[: token.start].encode()) for token in found] == [at for at, _ in duckdb.tokenize(text)]


@pytest.mark.parametrize(
    "begun", ["SELECT 1", "SELECT 'a;", "SELECT /* ; ", "SELECT 1 -- ;", 'SELECT "a;', "SELECT $$;", "/* ;"]
)
def test_what_has_not_ended_is_left(begun):
    assert statements(begun) == ([], begun)
    assert statements(f"SELECT 1;{begun}") == (["SELECT 1;"], begun)
    assert not is_remark(begun)


def test_a_semicolon_alone_ends_nothing():
    assert statements("; -- a\n ; SELECT 1;;") == (["SELECT 1;"], "")
