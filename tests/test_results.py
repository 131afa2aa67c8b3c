"""Result tables: what they print, and what they become in other formats."""

import csv
import io
import json
from datetime import date
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from repstore.errors import NotFoundError
from repstore.results import Figure, ResultTable

NAN, INFINITY = float("nan"), float("inf")


def table(title: str = "T", **columns: list) -> ResultTable:
    return ResultTable(pa.table(columns), title)


def matrix() -> ResultTable:
    cells = pa.table({"layer_a": [0, 0, 4, 4], "layer_b": [0, 4, 0, 4], "cka": [1.0, 0.25, 0.25, NAN]})
    return ResultTable(cells, "CKA of layers", figure=Figure("matrix", "layer_a", "cka", "layer_b"))


def test_rows_columns_and_length_are_those_of_the_table():
    result = table(layer=[0, 1], name=["a", None])
    assert result.columns == ["layer", "name"]
    assert len(result) == 2
    assert result["name"] == ["a", None]
    assert list(result) == [{"layer": 0, "name": "a"}, {"layer": 1, "name": None}]
    assert result.to_arrow() is result.table


def test_a_column_that_is_not_there_is_named_with_the_one_that_may_be_meant():
    with pytest.raises(NotFoundError, match=r'^No column "acuracy"\. Did you mean "accuracy"\?$'):
        table(layer=[0], accuracy=[0.5])["acuracy"]


def test_printed_numbers_stand_right_with_three_decimals_and_words_left():
    result = table("Accuracy", layer=[0, 10], accuracy=[0.5, 0.66666], word=["bank", None], n=[1234567, None])
    assert repr(result) == (
        "Accuracy\n layer  accuracy  word        n\n     0     0.500  bank  1234567\n    10     0.667"
    )


def test_a_column_with_a_float_too_large_or_small_for_three_decimals_has_four_digits():
    printed = repr(table(x=[12345678.9, 0.000123456, 0.0, -0.5, NAN, INFINITY], y=[0.25] * 6))
    assert [line.split() for line in printed.splitlines()[2:]] == [
        ["1.235e+07", "0.250"],
        ["0.0001235", "0.250"],
        ["0", "0.250"],
        ["-0.5", "0.250"],
        ["nan", "0.250"],
        ["inf", "0.250"],
    ]


def test_a_matrix_is_printed_as_rows_and_columns():
    assert repr(matrix()) == (
        "CKA of layers\n layer_a      0      4\n       0  1.000  0.250\n       4  0.250    nan"
    )


def test_a_wide_matrix_is_printed_in_pieces_that_hold_every_column_once():
    layers = list(range(40))
    cells = {"layer_a": [0, 1] * 40, "layer_b": [n for n in layers for _ in range(2)], "cka": [0.5] * 80}
    figure = Figure("matrix", "layer_a", "cka", "layer_b")
    lines = ResultTable(pa.table(cells), "CKA", figure=figure).to_text().splitlines()[1:]
    assert max(map(len, lines)) <= 112
    heads = [line.split() for line in lines[::3]]
    assert {head[0] for head in heads} == {"layer_a"}
    assert [int(name) for head in heads for name in head[1:]] == layers
    assert len(lines) == 3 * len(heads) > 3


def test_many_measures_are_printed_in_tables_that_keep_bands_beside_their_measures():
    names = [f"measure_{n:02}" for n in range(12)]
    row = {"run": "m/base", "layer": 3} | {
        column: 0.5 for name in names for column in (name, f"{name}_low", f"{name}_high")
    }
    figure = Figure("panels", "layer", "", panels=[(name, None) for name in names])
    units = dict.fromkeys(names, "share")
    result = ResultTable(pa.Table.from_pylist([row]), "Geometry", units, figure=figure)
    lines = [line.split() for line in result.to_text().splitlines()[1:]]
    for head, values in zip(lines[::2], lines[1::2], strict=True):
        assert head[:2] == ["run", "layer"]
        assert values[:2] == ["m/base", "3"]
        assert len(head) == len(values)
        assert [name[:10] for name in head[2::3]] == [name[:10] for name in head[4::3]]  # a measure is whole
    assert [name for head in lines[::2] for name in head[2:]] == [*row][2:]


def marked(*best: bool) -> ResultTable:
    cells = matrix().table.append_column("best", [list(best)])
    return ResultTable(
        cells, "CKA of layers", figure=Figure("matrix", "layer_a", "cka", "layer_b", mark="best")
    )


def test_the_marks_of_a_matrix_are_its_last_row_and_numbers_stay_right():
    assert repr(marked(False, True, True, False)) == (
        "CKA of layers\n layer_a      0      4\n       0  1.000  0.250\n       4  0.250    nan\n"
        "    best      4      0\nbest: the layer_a most like each layer_b"
    )


def test_a_column_of_a_matrix_without_a_mark_has_no_best():
    assert repr(marked(False, False, True, False)).splitlines()[-2] == "    best      4"


def test_marks_stay_a_column_of_the_long_table_in_other_formats():
    result = marked(False, True, True, False)
    assert [row["best"] for row in json.loads(result.to_json())] == [False, True, True, False]
    assert result.to_csv().splitlines()[:2] == ["layer_a,layer_b,cka,best", "0,0,1.0,False"]


def test_a_word_in_its_text_is_printed_in_brackets():
    result = table(
        word_id=[7], text=["We sat on the bank."], char_start=[14], char_end=[18], sense=["bank.[river]"]
    )
    assert repr(result) == (
        "T\n word_id  text                   sense\n       7  We sat on the [bank].  bank.[river]"
    )
    assert result.columns == ["word_id", "text", "char_start", "char_end", "sense"]


@pytest.mark.parametrize(
    "columns",
    [
        {"text": [None], "char_start": [None], "char_end": [None]},
        {"text": ["bank"], "char_start": [None], "char_end": [None]},
        {"text": [12], "char_start": ["a"], "char_end": [0]},
    ],
    ids=["null row of an outer join", "null place", "other columns of these names"],
)
def test_columns_that_only_look_like_a_word_in_its_text_are_printed_all_the_same(columns):
    assert repr(table(**columns))


def test_only_the_first_40_rows_are_shown_and_the_rest_counted():
    result = table(n=list(range(43)))
    shown = repr(result).splitlines()
    assert shown[-2].strip() == "39"
    assert shown[-1].endswith("3 more rows")
    assert "more rows" not in repr(table(n=list(range(40))))
    assert result.to_text().splitlines()[-1].strip() == "42"


def test_notes_stand_below_the_table_and_below_what_is_not_shown():
    notes = ["A [bold] note.", "Another."]
    result = ResultTable(pa.table({"n": list(range(42))}), "T", notes=notes)
    assert repr(result).splitlines()[-4:] == [" 39", "... 2 more rows", *notes]
    assert result.to_text().splitlines()[-3:] == [" 41", *notes]


def test_notes_do_not_get_among_the_rows_of_other_formats():
    result = ResultTable(pa.table({"n": [1]}), "T", notes=["A note."])
    assert (result.to_json(), result.to_csv()) == ('[{"n": 1}]', "n\n1\n")


def test_no_printed_line_ends_in_blanks():
    assert all(line == line.rstrip() for line in repr(table(a=["x", "longer"], b=["y", ""])).splitlines())


def test_a_long_text_is_wrapped_without_losing_words():
    words = [f"word{n}" for n in range(100)]
    printed = repr(table(id=[1], text=[" ".join(words)]))
    assert all(len(line) <= 160 for line in printed.splitlines()[1:])
    assert printed.split()[-len(words) :] == words


def test_long_names_squeeze_out_neither_the_id_nor_the_text():
    long = "a sense that is described at length, as glosses are"
    columns = {name: [long] for name in ("form", "lemma", "pos", "sense")}
    printed = repr(table(word_id=[58963000000014], **columns, text=["We sat on the bank."]))
    assert "58963000000014" in printed
    assert printed.split()[-5:] == ["We", "sat", "on", "the", "bank."]


def test_in_a_narrow_terminal_the_text_gives_way_and_ids_stay_whole():
    result = table(
        word_id=[58963000000014],
        form=["banks"],
        lemma=["bank"],
        sense=["bank.N.river"],
        text=["Otters had dug their burrow into the bank just above the waterline."],
    )
    console = Console(file=io.StringIO(), width=80)
    console.print(result.to_rich())
    assert "58963000000014  banks  bank   bank.N.river" in console.file.getvalue()


def test_a_title_wider_than_its_table_stays_on_one_line():
    title = "Word-in-Context accuracy by layer (test, standardize corpus)"
    assert repr(table(title, n=[1])).splitlines() == [title, " n", " 1"]


@pytest.mark.parametrize("hostile", ["[bold]x[/bold]", "[/]", ":apple:", "a\\", "\\[b]", "{x}", "100%"])
def test_markup_in_titles_names_and_values_is_printed_as_it_is(hostile):
    printed = repr(ResultTable(pa.table({hostile: [hostile], "wide enough for the title": [1]}), hostile))
    title, names, values = printed.splitlines()
    assert title == hostile
    assert names.split()[0] == hostile
    assert values.split()[0] == hostile


def test_a_table_without_rows_prints_its_columns():
    assert repr(table(word=pa.array([], pa.string()), n=pa.array([], pa.int64()))).split() == [
        "T",
        "word",
        "n",
    ]


def test_json_is_an_array_with_one_object_per_row():
    result = table(layer=[0, 1], word=["é[b]", None], ok=[True, None], vector=[[0.5, 1.0], [NAN]])
    assert json.loads(result.to_json()) == [
        {"layer": 0, "word": "é[b]", "ok": True, "vector": [0.5, 1.0]},
        {"layer": 1, "word": None, "ok": None, "vector": [None]},
    ]
    assert table(n=pa.array([], pa.int64())).to_json() == "[]"


def test_nan_and_infinity_become_null_in_json():
    nested = pa.array([{"a": NAN, "b": [INFINITY]}])
    result = ResultTable(pa.table({"x": [NAN], "y": [-INFINITY], "z": nested}), "T")
    assert json.loads(result.to_json()) == [{"x": None, "y": None, "z": {"a": None, "b": [None]}}]


def test_sums_of_sql_stay_numbers_in_json():
    # DuckDB sums whole numbers as HUGEINT, which Arrow knows as a decimal.
    result = table(total=[Decimal(80)], mean=[Decimal("1.25")])
    assert json.loads(result.to_json()) == [{"total": 80, "mean": 1.25}]


def test_a_date_becomes_its_text_in_json():
    assert json.loads(table(day=[date(2024, 3, 7)]).to_json()) == [{"day": "2024-03-07"}]


def test_csv_can_be_read_back():
    values = ['a "quoted" word', "a, b", "two\nlines", ""]
    result = table(layer=[0, 1, 2, 3], text=values)
    rows = list(csv.reader(io.StringIO(result.to_csv(), newline="")))
    assert rows == [["layer", "text"], *([str(n), value] for n, value in enumerate(values))]


def test_csv_of_no_rows_is_its_header():
    assert table(a=pa.array([], pa.int64()), b=pa.array([], pa.int64())).to_csv() == "a,b\n"


def test_pandas_gets_the_same_columns_and_rows():
    frame = table(layer=[0, 1], accuracy=[0.5, NAN], word=["a", "b"]).to_pandas()
    expected = pd.DataFrame({"layer": [0, 1], "accuracy": [0.5, NAN], "word": ["a", "b"]})
    pd.testing.assert_frame_equal(frame, expected, check_dtype=False)


def test_parquet_keeps_all_that_is_said_of_the_rows(tmp_path):
    result = ResultTable(
        pa.table({"layer": [0, 1], "accuracy": [0.5, 0.75]}),
        "Accuracy",
        units={"accuracy": "share of test pairs"},
        provenance={"run": "0123", "layers": [0, 1], "seed": 0},
        notes=["Mind the gap.", "And the step."],
    )
    path = tmp_path / "result.parquet"
    result.to_parquet(path)
    written = pq.read_table(path)
    assert written.to_pydict() == {"layer": [0, 1], "accuracy": [0.5, 0.75]}
    assert json.loads(written.schema.metadata[b"repstore"]) == {
        "title": "Accuracy",
        "units": {"accuracy": "share of test pairs"},
        "provenance": {"run": "0123", "layers": [0, 1], "seed": 0},
        "notes": ["Mind the gap.", "And the step."],
        "figure": None,
    }


@pytest.mark.parametrize("width", [40, 80, 300])
def test_a_terminal_shows_every_cell_whole_however_narrow_it_is(width, monkeypatch, capsys):
    from repstore.cli import render

    row = {"run": "smollm2/repeat", "layer": 9, "accuracy": 0.7665, "difference_low": 0.1021}
    words = {"text": "She sat on the bank of the river.", "char_start": 15, "char_end": 19}
    result = ResultTable(pa.Table.from_pylist([row | words]), "Two things")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(render.sys.stdout, "isatty", lambda: True, raising=False)
    render.show(result, "table")
    printed = capsys.readouterr().out
    for cell in (*row, "smollm2/repeat", "0.766", "0.102", "[bank]"):
        assert cell in printed.split() or cell in printed


def test_rows_come_in_order_however_they_are_stored():
    table = pa.concat_tables([pa.table({"n": range(start, start + 1500)}) for start in (0, 1500)])
    assert [row["n"] for row in ResultTable(table, "Numbers")] == list(range(3000))
