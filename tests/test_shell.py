"""The shell, function by function: where what is typed ends, its commands, how it prints."""

import json
import stat
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.history import InMemoryHistory
from rich.console import Console
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.cli.dots import LeavingError, Session, command_in, run_command
from repstore.cli.grid import grid
from repstore.cli.prompting import history
from repstore.cli.shell import answer, is_whole, pieces
from repstore.errors import ArgumentError, QueryError
from repstore.storage.catalog.lexing import tokens


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    runs = [SyntheticRun("m/base", random_layers(80, 20, 2)), SyntheticRun("m/it's", random_layers(80, 4, 2))]
    return build_store(tmp_path_factory.mktemp("stores") / "store", small_corpus(), runs)


@pytest.fixture(scope="module")
def store(folder):
    with repstore.open(folder) as opened:
        yield opened


@pytest.fixture
def session(store) -> Session:
    return Session(store, store.sql)


# Statements


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1;",
        "SELECT 1; -- one",
        "SELECT\n1\n;\n",
        "",
        "-- nothing",
        ".tables",
        " help ",
        "EXIT;",
        ".x;",
    ],
)
def test_enter_ends_a_statement_or_a_command(text):
    assert is_whole(text)


@pytest.mark.parametrize(
    "text", ["SELECT 1", "SELECT ';", "SELECT 1; SELECT", "/* ;", "help me", "SELECT $$;"]
)
def test_enter_goes_on_where_a_statement_does(text):
    assert not is_whole(text)


def test_pieces_are_statements_commands_and_what_is_left():
    script = "-- all\n.tables\nSELECT\n';'; SELECT 2 ;/* a\n.quit */\n\nhelp\nSELECT .5\n.quit\n"
    assert [piece.strip() for piece in pieces(script.splitlines(keepends=True))] == [
        ".tables",
        "SELECT\n';';",
        "SELECT 2 ;",
        "help",
        "SELECT .5\n.quit",
    ]


PIECES = ["SELECT 1", "';\n'", "/*", "*/", "--", ";", "\n", "'", " ", "$$", "$x$", "e'", "\\", '"']


@given(st.lists(st.sampled_from(PIECES), max_size=9))
def test_pieces_are_the_same_in_lines_and_all_at_once(parts):
    text = "".join(parts)
    by_line, at_once = (
        [
            [token.text.strip() for token in tokens(piece) if token.kind != "comment"]
            for piece in pieces(lines)
        ]
        for lines in (text.splitlines(keepends=True), [text])
    )
    assert by_line == at_once


def test_other_ends_of_lines_end_no_remark():
    text = "SELECT 1 -- a\u2028; b\n+ 1;"
    assert list(pieces(text.splitlines(keepends=True))) == [text]


@pytest.mark.parametrize(
    ("begin", "line", "end"),
    [
        ("/*\n", "a; b\n", "*/ SELECT 1;"),
        ("/*\n", "/* ; */\n", "*/ SELECT 1;"),
        ("SELECT '\n", "it''s;\n", "';"),
        ("SELECT\n", "1,\n", "2;"),
        ("", "-- a;\n", "SELECT 1;"),
    ],
)
def test_every_line_is_read_once(monkeypatch, begin, line, end):
    n_read = []
    tokenize = duckdb.tokenize
    monkeypatch.setattr(duckdb, "tokenize", lambda sql: n_read.append(len(sql)) or tokenize(sql))
    lines = [begin, *[line] * 500, end]
    assert len(list(pieces(lines))) == 1
    assert sum(n_read) < 4 * sum(map(len, lines))


def test_a_piece_comes_as_soon_as_it_ends():
    def lines():
        yield "SELECT 1;\n"
        raise AssertionError("read on")

    assert next(pieces(lines())) == "SELECT 1;"


# Commands


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("help", ".help"),
        ("Quit;", ".quit"),
        (".exit", ".quit"),
        (" .export a;", ".export a"),
        ("helpful", None),
        ("SELECT 1", None),
    ],
)
def test_commands_begin_with_a_dot_or_are_what_everybody_types(typed, command):
    assert command_in(typed) == command


def test_tables_lists_all_and_one(session):
    tables = {row["table"]: row["columns"] for row in answer(session, ".tables")}
    assert set(tables) >= {
        "runs",
        "corpora",
        "texts",
        "words",
        "pairs",
        "edges",
        "skipped",
        "parts",
        "vectors",
    }
    assert tables["vectors"] == "run, layer, word_id, vector"
    assert list(answer(session, ".tables vectors"))[-1] == {"column": "vector", "type": "FLOAT[]"}
    with pytest.raises(ArgumentError, match='Did you mean "words"'):
        answer(session, ".tables word")


def test_help_names_all_commands_tables_and_functions(session):
    said = answer(session, "help")
    assert all(name in said for name in (".help", ".tables", ".export", ".quit", "vectors", "cosine(a, b)"))


@pytest.mark.parametrize("ending", [".csv", ".json", ".parquet"])
def test_export_writes_the_last_result(session, tmp_path, ending):
    answer(session, "SELECT 'a;b' AS text, NULL::BIGINT AS n UNION ALL SELECT 'c', 2 ORDER BY ALL;")
    answer(session, ".tables")  # is no result of a query
    path = tmp_path / f"with blank{ending}"
    assert answer(session, f'.export "{path}"') == f"Wrote 2 rows to {path}"
    expected = [{"text": "a;b", "n": None}, {"text": "c", "n": 2}]
    match ending:
        case ".csv":
            assert path.read_text() == "text,n\na;b,\nc,2\n"
        case ".json":
            assert json.loads(path.read_text()) == expected
        case ".parquet":
            assert pq.read_table(path).to_pylist() == expected


def test_export_writes_over_a_file_only_when_told(session, tmp_path):
    path = tmp_path / "there.csv"
    path.write_text("mine")
    answer(session, "SELECT 1;")
    with pytest.raises(ArgumentError, match="there already"):
        answer(session, f".export {path}")
    assert path.read_text() == "mine"
    session.may_replace = lambda asked: asked == path
    assert answer(session, f".export {path}") == f"Wrote 1 row to {path}"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (".export x.csv", "no result to export yet"),
        (".expotr x.csv", 'Did you mean ".export"'),
        (".export", r"Expected \.export FILE"),
        (".timing maybe", 'No switch "maybe"'),
        (".rows 0", "no number of rows"),
        (".tables 'a", "cannot be read"),
    ],
)
def test_commands_that_cannot_be_done_say_why(session, line, message):
    with pytest.raises(ArgumentError, match=message):
        run_command(session, line)


@pytest.mark.parametrize("file", ["no/such/folder.csv", "words.xlsx", ".csv"])
def test_a_result_goes_into_no_other_kind_of_file_and_no_folder_that_is_not_there(session, tmp_path, file):
    answer(session, "SELECT 1;")
    with pytest.raises(ArgumentError, match=r"cannot be written|No kind of file"):
        answer(session, f".export {tmp_path / file}")


def test_quitting_leaves(session):
    with pytest.raises(LeavingError):
        answer(session, "exit")


def test_a_failed_query_leaves_the_last_result(session):
    answer(session, "SELECT 7 AS seven;")
    with pytest.raises(QueryError):
        answer(session, "SELECT nothing;")
    assert session.last["seven"] == [7]


# History


def test_statements_are_kept_for_the_user_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    kept = history()
    kept.store_string("SELECT 1\n;")
    assert list(history().load_history_strings()) == ["SELECT 1\n;"]
    assert stat.S_IMODE((tmp_path / "repstore" / "sql_history").stat().st_mode) == 0o600


def test_where_nothing_can_be_written_statements_are_remembered(tmp_path, monkeypatch):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(in_the_way))
    assert isinstance(history(), InMemoryHistory)


def test_a_history_that_can_no_longer_be_written_stops_nobody(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    kept = history()
    (tmp_path / "repstore" / "sql_history").unlink()
    (tmp_path / "repstore").rmdir()
    kept.append_string("SELECT 1;")
    assert kept.get_strings()[-1] == "SELECT 1;"


def test_an_error_shows_the_line_and_the_place(session):
    with pytest.raises(QueryError) as refused:
        answer(session, "SELECT lemma,\n  nothing\nFROM words;")
    assert str(refused.value).endswith("LINE 2:   nothing\n          ^^^^^^^")


# Printing


def printed(table: pa.Table, *, most_rows: int = 40, width: int = 60) -> tuple[list[str], int]:
    console = Console(width=width, color_system=None)
    shown, n_shown = grid(table, most_rows=most_rows, width=width)
    with console.capture() as capture:
        console.print(shown)
    return [line.rstrip() for line in capture.get().splitlines()], n_shown


def test_null_is_no_empty_text():
    lines, _ = printed(pa.table({"lemma": ["bank", "", None], "n": [1, None, 20]}))
    assert lines == ["lemma     n", "bank      1", "       NULL", "NULL     20"]


def test_vectors_are_shortened_and_say_how_long_they_are():
    lines, _ = printed(pa.table({"vector": [[0.125] * 576, [1.0, 2.0]]}))
    assert lines == ["vector", "[0.125, 0.125, 0.125, … 576 numbers]", "[1.0, 2.0]"]


def test_only_the_first_rows_are_printed():
    lines, n_shown = printed(pa.table({"n": range(1000)}), most_rows=3)
    assert (lines, n_shown) == (["n", "0", "1", "2"], 3)


def test_what_is_too_wide_has_a_line_for_every_value():
    table = pa.table({f"column_{n}": ["some text " * 8] * 9 for n in range(6)})
    lines, n_shown = printed(table, most_rows=8)
    assert n_shown == 2
    assert [line for line in lines if line.startswith("row")] == ["row 1", "row 2"]
    assert max(map(len, lines)) <= 60
    assert " ".join(lines).count("some") == 2 * 6 * 8


def test_long_texts_wrap_within_the_terminal():
    table = pa.table({"word_id": [97181000000000], "text": ["some text " * 20]})
    lines, _ = printed(table)
    assert max(map(len, lines)) <= 60
    assert " ".join(lines).count("some") == 20


def test_no_text_moves_the_cursor():
    lines, _ = printed(pa.table({"lemma": ["\x1b[31mred\x07", "two\nlines\r"]}))
    assert lines == ["lemma", r"\x1b[31mred\x07", r"two\nlines\r"]


def test_a_plan_is_printed_as_it_is_drawn_and_cut_where_the_terminal_ends(store):
    plan = store.sql("EXPLAIN SELECT lemma FROM words ORDER BY lemma")
    drawn = [line.rstrip() for line in plan["explain_value"][0].splitlines()]
    assert len(drawn) > 3
    assert printed(plan.table)[0] == drawn
    assert printed(plan.table, width=20)[0] == [
        f"{line[:19]}…".strip() if len(line) > 20 else line for line in drawn
    ]
