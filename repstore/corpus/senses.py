"""The project's own format for sense-annotated words: one JSON object a line.

Required keys: ``text``, ``start`` and ``end`` (characters of the text), ``lemma``, ``sense``. Optional:
``pos`` and ``gloss``. Several lines may annotate words of the same text. docs/corpora.md has an example.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any

from repstore.corpus.source import Corpus, Place, lines, position_of
from repstore.errors import CorpusError, is_utf8
from repstore.spec import Pair, Text, Word

REQUIRED = {"text": str, "start": int, "end": int, "lemma": str, "sense": str}
OPTIONAL = {"pos": str, "gloss": str}


def read_senses(path: Path) -> Corpus:
    """Read a sense-annotated file, and derive Word-in-Context pairs from its senses (see `derive_pairs`)."""
    if not path.is_file():
        raise CorpusError(f"{path} is not a file. Give a .jsonl file of annotated words.")

    def texts() -> Iterator[Text]:
        for text, words in _by_text(path).items():
            yield Text(text, tuple(words))

    def pairs() -> Iterator[Pair]:
        words = [(text, word) for text, found in _by_text(path).items() for word in found]
        return derive_pairs(words)

    return Corpus(path.stem, f"senses:{path}", texts, pairs)


def derive_pairs(words: list[tuple[str, Word]]) -> Iterator[Pair]:
    """Same-sense and different-sense pairs, as many of the one as of the other for every lemma.

    A lemma (with its part of speech) of n words gives at most n pairs of each kind; which ones is
    decided by a hash of the two texts, so the same words always give the same pairs. Lemmas go to dev and
    test in turn, in the order of a hash, so no lemma is in both. A lemma of one sense gives no pairs.

    Args:
        words: every word of the corpus with its text, in order; pairs refer to these ordinals.
    """
    lemmas: dict[str, list[int]] = defaultdict(list)
    for ordinal, (_, word) in enumerate(words):
        lemmas[f"{word.lemma}.{word.pos}"].append(ordinal)

    def rank(pair: tuple[int, int]) -> str:
        spans = [[words[n][0], words[n][1].char_start] for n in pair]
        return hashlib.sha256(json.dumps(spans).encode()).hexdigest()

    with_senses = {
        lemma: ordinals
        for lemma, ordinals in lemmas.items()
        if len({words[n][1].sense for n in ordinals}) > 1
    }
    in_turn = sorted(with_senses, key=lambda lemma: hashlib.sha256(lemma.encode()).hexdigest())
    split_of = {lemma: ("dev", "test")[n % 2] for n, lemma in enumerate(in_turn)}
    for lemma, ordinals in with_senses.items():
        by_sense: dict[str | None, list[int]] = defaultdict(list)
        for ordinal in ordinals:
            by_sense[words[ordinal][1].sense].append(ordinal)
        same = sorted((p for group in by_sense.values() for p in combinations(group, 2)), key=rank)
        different = sorted(
            (p for a, b in combinations(by_sense.values(), 2) for p in product(a, b)), key=rank
        )
        n_each = min(len(same), len(different), len(ordinals))
        for pair_same, pair_different in zip(same[:n_each], different[:n_each], strict=True):
            yield Pair(*pair_same, split_of[lemma], label=True)
            yield Pair(*pair_different, split_of[lemma], label=False)


def _by_text(path: Path) -> dict[str, list[Word]]:
    """Texts in order of appearance, each with its words in order of position."""
    found: dict[str, dict[tuple[int, int], Word]] = {}
    gloss_of: dict[str, tuple[str | None, int]] = {}
    for at, line in lines(path):
        if not line.strip():
            continue
        record = _record(at, line)
        word = _word(at, record)
        gloss, first = gloss_of.setdefault(record["sense"], (word.gloss, at.line))
        if gloss != word.gloss:
            problem = f'another gloss for "{word.sense}" than in line {first}'
            raise at.refuse(problem, "one gloss per sense")
        words = found.setdefault(record["text"], {})
        if (word.char_start, word.char_end) in words:
            raise at.refuse(f'"{word.form}" is annotated twice', "each word once")
        words[word.char_start, word.char_end] = word
    return {text: [words[span] for span in sorted(words)] for text, words in found.items()}


def _record(at: Place, line: str) -> dict[str, Any]:
    keys = ", ".join(REQUIRED)
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise at.refuse(f"not JSON ({error})", f"an object with {keys}") from None
    if not isinstance(record, dict):
        raise at.refuse("not a JSON object", f"an object with {keys}")
    for key, kind in REQUIRED.items():
        if key not in record:
            raise at.refuse(f'no "{key}"', f"an object with {keys}")
        value = record[key]
        if not isinstance(value, kind) or isinstance(value, bool) or not str(value).strip():
            raise at.refuse(f'"{key}" is {value!r}', f"{key} as {kind.__name__}")
    for key in [key for key in record if key not in REQUIRED]:
        if key not in OPTIONAL:
            allowed = f"{keys} and perhaps {', '.join(OPTIONAL)}"
            raise at.refuse(f'unknown key "{key}"', allowed)
        if record[key] is not None and not isinstance(record[key], str):
            raise at.refuse(f'"{key}" is {record[key]!r}', f"{key} as str")
    for key, value in record.items():
        if isinstance(value, str) and not is_utf8(value):
            raise at.refuse(f'"{key}" has half a surrogate pair', "characters")
    return record


def _word(at: Place, record: dict[str, Any]) -> Word:
    text, start, end = record["text"], record["start"], record["end"]
    form = text[max(start, 0) : end]
    if not 0 <= start < end <= len(text) or form != form.strip():
        problem = f"characters {start} to {end} of a text of {len(text)} are {form!r}"
        raise at.refuse(problem, "the span of a word, without blanks at its ends")
    return Word(
        position_of(text, start),
        start,
        end,
        form,
        record["lemma"],
        record.get("pos"),
        record["sense"],
        record.get("gloss"),
    )
