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
LEMMAS_OF = """
SELECT DISTINCT coalesce(lemma, form) AS name FROM words JOIN texts USING (text_id)
WHERE corpus_id = $corpus_id
"""
SHOWN_USES = 10


def find_words(catalog: Catalog, limit: int | None = None, **criteria: str | None) -> pa.Table:
    """Words by form, lemma, pos, sense, part of text, corpus_id, or either (form or lemma).

    Raises:
        ArgumentError: `limit` is less than 1.
    """
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


def _no_word(catalog: Catalog, word: str | None, run: RunInfo, text: str | None, sense: str | None) -> str:
    where = f' in a text with "{text}"' if text else ""
    where += f' of sense "{sense}"' if sense else ""
    if word is None:
        return f"No word{where} in {run.corpus}."
    corpus = {"corpus_id": run.spec.corpus_id}
    names = catalog.query(LEMMAS_OF, corpus)["name"].to_pylist()
    hint = f" {did_you_mean(word, names)}" if word not in names else ""
    return f'No word "{word}"{where} in {run.corpus}.{hint}'


def marked(word: Mapping[str, Any]) -> str:
    """The text of a word, with the word in brackets."""
    text, start, end = word["text"], word["char_start"], word["char_end"]
    return f"{text[:start]}[{text[start:end]}]{text[end:]}"
