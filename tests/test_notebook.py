"""What a notebook shows is what a terminal shows, as HTML that holds no more than that."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.results import SHOWN_ROWS, Figure, ResultTable

HOSTILE = [
    "<script>alert(1)</script>",
    "</td></table><h1>",
    '" onload="x',
    "&lt;b&gt; & 'so'",
    "<!-- \u202e -->",
    "$x$ and $$y$$",
    "two\nlines",
]
ALLOWED = {"figure", "figcaption", "table", "thead", "tbody", "tr", "th", "td", "p", "b"}
ATTRIBUTES = {"style", "class", "scope", "title"}


class Page(HTMLParser):
    """The parts of a page: rows of cells, all paragraphs, all tags; each tag is closed as it was opened."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[str]] = []
        self.captions: list[str] = []
        self.paragraphs: list[str] = []
        self.bold: list[str] = []
        self.titles: dict[str, str] = {}
        self._open: list[str] = []
        self._about: dict[str, str | None] = {}
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        assert tag in ALLOWED
        assert {name for name, _ in attrs} <= ATTRIBUTES
        self._open.append(tag)
        self._about = dict(attrs)
        into = {"tr": self.rows, "figcaption": self.captions, "p": self.paragraphs, "b": self.bold}
        if tag in into:
            into[tag].append([] if tag == "tr" else "")
        elif tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if {"th", "td"} & set(self._open):
            self.rows[-1][-1] += data
            if self._about.get("title"):
                self.titles[data] = self._about["title"]
        elif "figcaption" in self._open:
            self.captions[-1] += data
        elif "p" in self._open:
            self.paragraphs[-1] += data
        if "b" in self._open:
            self.bold[-1] += data

    def handle_comment(self, data):
        raise AssertionError(data)


def page(thing: object) -> Page:
    return Page(thing._repr_html_())


def test_a_table_has_the_cells_of_the_printed_one():
    table = pa.table({"layer": [0, 10], "f1": [0.5, None], "verdict": ["best", ""]})
    result = ResultTable(table, "F1 by layer", {"f1": "of test words"}, notes=["Mind the gap."])
    shown = page(result)
    assert shown.captions == ["F1 by layer"]
    assert shown.rows == [["layer", "f1", "verdict"], ["0", "0.500", "best"], ["10", "", ""]]
    assert shown.paragraphs == ["Mind the gap."]
    assert shown.titles == {"f1": "of test words"}
    printed = result.to_text().split()
    assert all(cell in printed for row in shown.rows for cell in row if cell)


def test_what_anybody_wrote_is_text_and_no_markup():
    table = pa.table({name: [name, "x"] for name in HOSTILE})
    result = ResultTable(table, HOSTILE[0], dict.fromkeys(HOSTILE, HOSTILE[2]), notes=HOSTILE)
    shown = page(result)
    assert shown.rows == [HOSTILE, HOSTILE, ["x"] * len(HOSTILE)]
    assert (shown.captions, shown.paragraphs) == ([HOSTILE[0]], HOSTILE)
    assert set(shown.titles.values()) == {HOSTILE[2]}
    assert 'class="tex2jax_ignore mathjax_ignore"' in result._repr_html_(), "dollars begin no formula"


def test_hostile_words_and_names_are_shown_as_they_are(tmp_path):
    name = HOSTILE[1] + HOSTILE[0]
    run = SyntheticRun(name, random_layers(20, 4, 1))
    with repstore.open(build_store(tmp_path / "store", small_corpus(20, 4, 2, name=name), [run])) as store:
        for thing in (store, store.run(), store.run()[0], store.run().words):
            shown = page(thing)
            assert any(name in cell for row in [*shown.rows, shown.captions] for cell in row)


def test_a_long_table_is_cut_with_a_remark():
    shown = page(ResultTable(pa.table({"n": np.arange(1000)}), "Numbers"))
    assert [row[0] for row in shown.rows[1:]] == [str(n) for n in range(SHOWN_ROWS)]
    assert shown.paragraphs == ["... 960 more rows"]


def test_a_word_is_bold_in_its_text():
    words = {"text": ["At the <bank>.", None], "char_start": [8, None], "char_end": [12, None]}
    shown = page(ResultTable(pa.table(words), "Words"))
    assert shown.rows == [["text"], ["At the <[bank]>."], [""]]
    assert shown.bold == ["[bank]"]


def test_a_matrix_is_rows_and_columns():
    pairs = [(a, b) for a in (0, 2) for b in (0, 2)]
    table = pa.table({"a": [a for a, _ in pairs], "b": [b for _, b in pairs], "cka": [1.0, 0.25, 0.25, 1.0]})
    result = ResultTable(table, "CKA", figure=Figure("matrix", "a", "cka", "b"))
    assert page(result).rows == [["a", "0", "2"], ["0", "1.000", "0.250"], ["2", "0.250", "1.000"]]


def test_many_measures_are_several_tables_under_one_title():
    names = [f"measure_{n}" for n in range(20)]
    table = pa.table({"layer": [0, 1], **{name: [0.5, 0.25] for name in names}})
    figure = Figure("panels", "layer", names[0], panels=[(name, None) for name in names])
    shown = page(ResultTable(table, "Measures", dict.fromkeys(names, "unit"), figure=figure))
    heads = [row for row in shown.rows if row[0] == "layer"]
    assert len(heads) > 1
    assert [name for head in heads for name in head[1:]] == names
    assert shown.captions == ["Measures"]


def test_a_store_a_run_and_a_layer_say_what_they_are(tmp_path):
    run = SyntheticRun("m", random_layers(20, 4, 3), 8, skipped=frozenset({2}))
    with repstore.open(build_store(tmp_path / "store", small_corpus(20, 4, 2), [run])) as store:
        shown = page(store)
        assert shown.captions == [f"Store {tmp_path / 'store'}"]
        assert shown.rows[1] == ["m", "synthetic", "19", "3", "4"]
        assert ["words", "19 with vectors, 1 skipped, 0 to come"] in page(store.run()).rows
        layer = page(store.run()[1])
        assert layer.captions == ["Layer 1 of m"]
        assert layer.rows[1:3] == [["words", "19"], ["dimensions", "4"]]
    with repstore.open(build_store(tmp_path / "empty", small_corpus(20, 4, 2))) as store:
        assert page(store).paragraphs[-1] == "It has no runs yet."


@pytest.mark.parametrize("table", [pa.table({}), pa.table({"a": pa.array([], pa.int64())})])
def test_a_table_of_nothing_has_its_title(table):
    shown = page(ResultTable(table, "Nothing"))
    assert (shown.captions, shown.paragraphs) == (["Nothing"], [])
