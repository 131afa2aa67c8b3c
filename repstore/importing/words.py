"""From a table of words to a corpus: words of the store that it names, or texts that it brings along."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from repstore.corpus import Corpus
from repstore.corpus.source import Place, position_of
from repstore.importing.pairs import read_pairs
from repstore.importing.source import Request
from repstore.importing.tables import EXPECTED, OF_TEXTS, SHOWN, WordTable
from repstore.schemas import ID_STRIDE, WORD_ID
from repstore.spec import CorpusInfo, Span, Text, Word
from repstore.storage.corpora import ROWS, read_words_with_texts
from repstore.storage.layout import CorpusLayout


@dataclass(frozen=True, eq=False)
class Placed:
    """The words of a table in a corpus.

    Attributes:
        corpus: of the store, or one that the table brings along.
        rows: of every word of the corpus its row in the table; -1 for none. *Shape:* (n_words,), int64.
    """

    corpus: CorpusInfo | Corpus
    rows: np.ndarray


def place_words(given: WordTable, request: Request, source: str, pairs: Sequence[Path] = ()) -> Placed:
    """Find the words of a table in the store, or make a corpus of them.

    Ids count where the store has their corpus, or where a corpus is named; else texts do.

    Args:
        given: the table.
        request: what is to be imported.
        source: what a corpus made of it is said to be read from.
        pairs: files of pairs of these words, which a corpus that is made of them has.

    Raises:
        CorpusError: it has neither, or a row that cannot be.
    """
    if WORD_ID in given.columns:
        word_ids = _ids(given)
        corpus = request.of_ids(word_ids)
        if corpus is not None:
            rows = _rows_of_ids(given, word_ids, corpus)
            _check_same(given, rows, request.layout.corpus(corpus.corpus_id))
            return Placed(corpus, rows)
    if set(OF_TEXTS) <= given.columns.keys() and request.corpus is None:
        texts, rows = _texts(given)
        found = read_pairs(pairs, given, rows)
        return Placed(Corpus(given.path.stem, source, texts, lambda: iter(found)), rows)
    if WORD_ID in given.columns:
        problem = f"{WORD_ID} {word_ids[0]}, which is of no corpus of the store"
        raise given.place(0).refuse(problem, f"words of the store, or columns {', '.join(OF_TEXTS)} as well")
    if request.corpus is not None:
        expected = f"{WORD_ID}, by which words of {request.corpus} are found"
        raise Place(given.path, 1).refuse(f"no column {WORD_ID}", expected)
    raise Place(given.path, 1).refuse(
        f"the columns {', '.join(given.columns) or 'of no known name'}", EXPECTED
    )


def _ids(given: WordTable) -> np.ndarray:
    for row, word_id in enumerate(given.columns[WORD_ID]):
        if word_id is None:
            raise given.place(row).refuse(f"no {WORD_ID}", "one in every row")
    return np.array(given.columns[WORD_ID], np.int64)


def _rows_of_ids(given: WordTable, word_ids: np.ndarray, corpus: CorpusInfo) -> np.ndarray:
    ordinals = word_ids - corpus.code * ID_STRIDE
    outside = (ordinals < 0) | (ordinals >= corpus.n_words)
    if outside.any():
        row = int(outside.argmax())
        raise given.place(row).refuse(f"{WORD_ID} {word_ids[row]}", f"words of corpus {corpus.name}")
    rows = np.full(corpus.n_words, -1, np.int64)
    rows[ordinals[::-1]] = np.arange(len(ordinals))[::-1]
    again = rows[ordinals] != np.arange(len(ordinals))
    if again.any():
        row = int(again.argmax())
        before = given.lines[int(rows[ordinals[row]])]
        raise given.place(row).refuse(f"{WORD_ID} {word_ids[row]}, which was at {before}", "each word once")
    return rows


def _check_same(given: WordTable, rows: np.ndarray, files: CorpusLayout) -> None:
    """Compare what else a table says of words with the corpus that their ids are of.

    Ids tell corpora apart by five digits, so those of another store may seem to be of this one.

    Raises:
        CorpusError: it says something else.
    """
    said = [name for name in (*OF_TEXTS, "form") if name in given.columns]
    for start in range(0, len(rows) if said else 0, ROWS):
        here = rows[start : start + ROWS]
        words, texts, of_text = read_words_with_texts(files, start, start + len(here))
        for name in said:
            known = [texts[n] for n in of_text] if name == "text" else words[name].to_pylist()
            for place in np.flatnonzero(here >= 0).tolist():
                row = int(here[place])
                value = given.columns[name][row]
                if value is not None and value != known[place]:
                    problem = f"{name} {_short(value)}, and of this {WORD_ID} it is {_short(known[place])}"
                    raise given.place(row).refuse(problem, "words of this store: ids of another are not its")


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."


def _texts(given: WordTable) -> tuple[Callable[[], Iterator[Text]], np.ndarray]:
    """The texts in the order in which they first come, each with its words in order, and the row of each.

    Rows of one text are those of one ``text_id``, or else of the same text, split and language.
    """
    columns = [given.columns.get(name) or [None] * len(given) for name in ("text", "split", "language")]
    text_ids = given.columns.get("text_id") or [None] * len(given)
    of_text: dict[Any, list[int]] = {}
    for row, (text_id, *said) in enumerate(zip(text_ids, *columns, strict=True)):
        rows = of_text.setdefault(tuple(said) if text_id is None else text_id, [])
        rows.append(row)
        if columns[0][row] != columns[0][rows[0]]:
            problem = f"another text than at {given.lines[rows[0]]} for the same text_id"
            raise given.place(row).refuse(problem, "one text to each")
    starts = given.columns["char_start"]
    order = np.array(
        [row for rows in of_text.values() for row in sorted(rows, key=lambda row: starts[row] or 0)], np.int64
    )
    ends = np.cumsum([len(rows) for rows in of_text.values()])

    def texts() -> Iterator[Text]:
        for rows in np.split(order, ends[:-1]):
            text, split, language = (column[rows[0]] for column in columns)
            yield Text(text, tuple(_word(given, row) for row in rows.tolist()), split, language)

    return texts, order


def _word(given: WordTable, row: int) -> Word:
    known = {name: values[row] for name, values in given.columns.items()}
    text, start, end = (known[name] for name in OF_TEXTS)
    at = given.place(row)
    if (
        not text
        or start is None
        or end is None
        or not start < end <= len(text)
        or not text[start:end].strip()
    ):
        problem = f"characters {start} to {end} of a text of {len(text or '')}"
        raise at.refuse(problem, "a text and the characters of a word in it")
    position = known.get("position")
    return Word(
        position_of(text, start) if position is None else position,
        start,
        end,
        known.get("form") or text[start:end],
        known.get("lemma"),
        known.get("pos"),
        known.get("sense"),
        known.get("gloss"),
        _spans(at, known.get("spans"), start, end),
    )


def _spans(at: Place, given: Any, start: int, end: int) -> tuple[Span, ...]:
    """The pieces of a word, if it has several."""
    if given is None:
        return ()
    try:
        read = json.loads(given) if isinstance(given, str) else given
        spans = tuple((int(first), int(last)) for first, last in read)
    except (TypeError, ValueError):
        spans = ()
    flat = [end for span in spans for end in span]
    if not spans or flat != sorted(set(flat)) or (flat[0], flat[-1]) != (start, end):
        raise at.refuse(f"spans {given}", f"pieces of the word from {start} to {end}, as [[{start}, {end}]]")
    return spans if len(spans) > 1 else ()
