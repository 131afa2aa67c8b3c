"""What the shell suggests, as a function of what stands before and after the cursor."""

import pytest

from repstore.cli.dots import command_suggestions
from repstore.cli.suggesting import Names, suggestions

NAMES = Names(
    tables={
        "words": {"word_id": "BIGINT", "lemma": "VARCHAR"},
        "texts": {"text_id": "BIGINT", "text": "VARCHAR"},
        "vectors": {"run": "VARCHAR", "layer": "INTEGER", "word_id": "BIGINT"},
    },
    runs=["m/base", "m/repeat", "it's"],
    built_in=["count", "corr"],
)


def suggested(before: str, after: str = "") -> list[str]:
    """The text before the cursor as each suggestion would leave it, less what it had in common with it."""
    return [
        (before[: len(before) - one.n_replaced] + one.text).rpartition(" ")[2]
        for one in suggestions(NAMES, before, after)
    ]


@pytest.mark.parametrize("word", ["FROM", "from", "SELECT a FROM words JOIN", "DESCRIBE", "SELECT 1; FROM"])
def test_tables_follow_words_that_take_one(word):
    assert suggested(f"{word} ") == ["words", "texts", "vectors", "similarity(", "neighbors(", "result("]
    assert suggested(f"{word} wo") == ["words"]


def test_columns_are_those_of_the_tables_that_the_statement_names():
    assert suggested("SELECT 1 FROM words; SELECT te", " FROM texts") == ["text_id", "text", "texts"]
    assert suggested("SELECT l", " FROM words") == [
        "lemma",
        "l2(",
        "last",
        "lateral",
        "left",
        "like",
        "limit",
    ]
    assert "layer" in suggested("SELECT l")


def test_a_column_of_two_tables_is_suggested_once():
    (both,) = suggestions(NAMES, "SELECT word_", "")
    assert (both.text, both.about) == ("word_id", "column of words, vectors")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("SELECT words.", " FROM words"),
        ("SELECT w.", " FROM words AS w"),
        ("SELECT w.", " FROM texts t JOIN words w USING (text_id)"),
        ("FROM words w, texts t WHERE W.", ""),
    ],
)
def test_after_a_table_and_a_dot_come_its_columns(before, after):
    assert [one.text for one in suggestions(NAMES, before, after)] == ["word_id", "lemma"]
    assert [one.text for one in suggestions(NAMES, before + "le", after)] == ["lemma"]


def test_an_unknown_table_has_no_columns():
    assert suggested("SELECT x.", " FROM words w") == []


def test_keywords_are_written_as_the_user_writes():
    assert suggested("SELECT 1 whe") == ["when", "where"]
    assert suggested("SELECT 1 WHE") == ["WHEN", "WHERE"]


def test_functions_come_with_their_parenthesis_and_those_of_repstore_first():
    assert suggested("SELECT co")[:2] == ["cosine(", "columns"]
    assert suggested("SELECT co")[2:] == ["count(", "corr("]
    assert suggested("FROM nei") == ["neighbors("]


@pytest.mark.parametrize(
    "before",
    [
        "FROM vectors WHERE run = 'm",
        "FROM vectors v WHERE v.run='m",
        "FROM vectors WHERE run IN ('m",
        "FROM vectors WHERE run IN ('it''s', 'm",
        "SELECT vector(f(1, 2), 'm",
        "SELECT vector(word_id, run := 'm",
        "FROM similarity('m",
        "FROM neighbors(97181000000000, 'm",
    ],
)
def test_strings_that_say_a_run_are_completed(before):
    assert [one.text for one in suggestions(NAMES, before)] == ["m/base'", "m/repeat'"]
    assert [one.text for one in suggestions(NAMES, before, "' LIMIT 3")] == ["m/base", "m/repeat"]


def test_a_quote_in_the_name_of_a_run_is_doubled():
    assert [one.text for one in suggestions(NAMES, "run = 'i")] == ["it''s'"]


@pytest.mark.parametrize(
    "before",
    ["lemma = 'm", "vector('m", "vector(1, 'x', 'm", "(run) || 'm", "SELECT 'wo", "-- wo", "/* wo", "'m"],
)
def test_nothing_is_suggested_in_other_strings_and_in_comments(before):
    assert suggested(f"SELECT {before}") == []


@pytest.mark.parametrize("remark", ["-- which\n", "/* which */ "])
def test_after_a_comment_suggestions_go_on(remark):
    assert [one.text for one in suggestions(NAMES, f"FROM {remark}wo")] == ["words"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (".ti", [".timing"]),
        (".timing ", ["on", "off"]),
        (".tables w", ["words"]),
        (".quit ", []),
        (".x", []),
    ],
)
def test_commands_and_their_arguments_are_completed(line, expected):
    assert [one.text for one in command_suggestions(NAMES, line)] == expected
