"""Finding words by what users know of them, and the one use that is meant."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import Any, SupportsIndex

import pyarrow as pa

from repstore.errors import ArgumentError, NotFoundError, SeveralWordsError, did_you_mean
from repstore.spec import RunInfo
from repstore.storage.catalog import Catalog

FIND_WORDS = """
SELECT word_id, form, lemma, pos, sense, text, char_start, char_end, position, split,
       corpora.name AS corpus
FROM words JOIN texts USING (text_id) JOIN corpora USING (corpus_id)
WHERE ($form IS NULL OR form = $form) AND ($lemma IS NULL OR lemma = $lemma)
  AND ($pos IS NULL OR pos = $pos) AND ($sense IS NULL OR sense = $sense)
  AND ($text IS NULL OR contains(text, $text))
  AND ($either IS NULL OR lemma = $either OR form = $either)
  AND ($corpus_id IS NULL OR corpus_id = $corpus_id)
ORDER BY word_id LIMIT $limit
"""
WORDS_BY_ID = """
SELECT word_id, form, lemma, pos, sense, text, char_start, char_end
FROM words JOIN texts USING (text_id) WHERE word_id IN (SELECT unnest($word_ids))
"""
CLOSEST = """
SELECT name, name = $asked AS is_there
FROM (SELECT DISTINCT {column} AS name FROM words JOIN texts USING (text_id)
      WHERE ($corpus_id IS NULL OR corpus_id = $corpus_id) AND ($word IS NULL OR $word IN (lemma, form)))
WHERE name IS NOT NULL
ORDER BY is_there DESC, damerau_levenshtein(lower(name), lower($asked)), name LIMIT $limit
"""
"""The values of a column that are written most like one that was asked for, itself first."""

PROPERTIES = {"form": "form", "lemma": "lemma", "pos": "part of speech", "sense": "sense"}
EITHER = "coalesce(lemma, form)"
"""What a word goes by where no property is named."""

SHOWN_USES = 10
HINTS = 100
"""Values among which the closest is looked for; a treebank may have a hundred thousand lemmas."""


def find_words(catalog: Catalog, limit: int | None = None, **criteria: str | None) -> pa.Table:
    """Words by form, lemma, pos, sense, part of text, corpus_id, or either (form or lemma).

    Raises:
        ArgumentError: `limit` is less than 1, or a criterion is no text.
    """
    for name, value in criteria.items():
        if value is not None and not isinstance(value, str):
            raise ArgumentError(f"{name} is {value!r}; give one text, or ask in SQL for several.")
    if limit is not None and limit < 1:
        raise ArgumentError(f"limit is {limit}; ask for at least 1 word.")
    names = ("form", "lemma", "pos", "sense", "text", "either", "corpus_id")
    return catalog.query(FIND_WORDS, dict.fromkeys(names) | criteria | {"limit": limit})


def one_use(
    catalog: Catalog,
    run: RunInfo,
    word: str | SupportsIndex | None,
    text: str | None,
    sense: str | None,
) -> dict[str, Any]:
    """The one word that is meant: word_id, form, lemma, pos, sense, text, ...

    Raises:
        NotFoundError: there is none.
        SeveralWordsError: several uses fit; the message lists some.
    """
    if word is None and text is None and sense is None:
        raise ArgumentError("No word is given. Give a word, a word_id, or part of its text.")
    if word is not None and not isinstance(word, str):
        try:
            word_id = index(word)
        except TypeError:
            raise ArgumentError(
                f"{word!r} is no word: give a form, a lemma, a word_id or an array."
            ) from None
        known = -(2**63) <= word_id < 2**63
        found = catalog.query(WORDS_BY_ID, {"word_ids": [word_id]}).to_pylist() if known else []
        if not found:
            raise NotFoundError(f"The store has no word {word_id}.")
        if text is not None or sense is not None:
            raise ArgumentError("A word_id says which word is meant. Leave out its text and sense.")
        of_word: dict[str, Any] = found[0]
        return of_word
    corpus_id = run.spec.corpus_id
    uses = find_words(catalog, either=word, text=text, sense=sense, corpus_id=corpus_id).to_pylist()
    if not uses:
        raise NotFoundError(_no_word(catalog, word, run, text, sense))
    if len(uses) > 1:
        lines = [f"  {use['word_id']}  {use['sense'] or ''}  {marked(use)}" for use in uses[:SHOWN_USES]]
        if len(uses) > SHOWN_USES:
            lines.append(f"  ... {len(uses) - SHOWN_USES} more")
        what = "This" if word is None else f'"{word}"'
        raise SeveralWordsError(
            f"{what} has {len(uses)} uses. Say which, by word_id or by part of the text:\n"
            + "\n".join(lines),
            uses,
        )
    use: dict[str, Any] = uses[0]
    return use


def why_none(catalog: Catalog, wanted: Mapping[str, str | None]) -> str:
    """Why no word has all that is wanted: which property no word has, and what comes closest."""
    for name, value in wanted.items():
        if value is not None and name in PROPERTIES:
            hint = _hint(catalog, name, value)
            if hint is not None:
                return f'No word has the {PROPERTIES[name]} "{value}". {hint}'
    return "No word has all that is asked for."


def _no_word(catalog: Catalog, word: str | None, run: RunInfo, text: str | None, sense: str | None) -> str:
    where = f' in a text with "{text}"' if text else ""
    where += f' of sense "{sense}"' if sense else ""
    if word is None:
        hint = _hint(catalog, "sense", sense, run.spec.corpus_id) if sense else None
        return f"No word{where} in {run.corpus}." + (f" {hint}" if hint else "")
    hint = _hint(catalog, EITHER, word, run.spec.corpus_id)
    if hint is None and sense:
        hint = _hint(catalog, "sense", sense, run.spec.corpus_id, word)
    return f'No word "{word}"{where} in {run.corpus}.' + (f" {hint}" if hint else "")


def _hint(
    catalog: Catalog, column: str, value: str, corpus_id: str | None = None, word: str | None = None
) -> str | None:
    """What could be meant by a value that no word has; None if one has it."""
    asked = {"asked": value, "corpus_id": corpus_id, "word": word, "limit": HINTS}
    found = catalog.query(CLOSEST.format(column=column), asked)
    if any(found["is_there"].to_pylist()):
        return None
    return did_you_mean(value, found["name"].to_pylist()) if len(found) else "No word has any."


def marked(word: Mapping[str, Any]) -> str:
    """The text of a word, with the word in brackets."""
    text, start, end = word["text"], word["char_start"], word["char_end"]
    return f"{text[:start]}[{text[start:end]}]{text[end:]}"
