"""CoNLL-U, the format of Universal Dependencies (universaldependencies.org/format.html).

Ten columns separated by tabs (ID FORM LEMMA UPOS XPOS FEATS HEAD DEPREL DEPS MISC), a line for each word, an
empty line after each sentence. Before the words of a multiword token a line ``3-4`` has its form; a line
``3.1`` is an empty node, which stands for a word that is not in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path

from repstore.corpus import sdp
from repstore.corpus.graphs import Bank, Sentence, Token, bank_corpus, blocks, joined, split_of
from repstore.corpus.source import Corpus, Place
from repstore.corpus.targets import PARTS_OF_SPEECH
from repstore.errors import CorpusError
from repstore.spec import Edge, Span

SUFFIX, NONE = ".conllu", "_"
COLUMNS = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
ID = re.compile(r"([0-9]{1,6})(?:([-.])([0-9]{1,6}))?")
TEXT = re.compile(r"#\s*text\s*=(.*)")
BLANKS = re.compile(r"\s*")


def read_conllu(path: Path) -> Corpus:
    """Read one file, or all those in a folder; with ``NAME.conllu``, ``NAME.dm.sdp`` and the like beside it.

    Every word is a word, punctuation and the words of multiword tokens included; empty nodes are not, and
    edges from or to them are left out.
    """
    files = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
    if not files:
        raise CorpusError(f"{path} has no treebank. Expected files NAME{SUFFIX} in it.")
    graphs = {file: _beside(file) for file in files}
    if path.is_dir():
        for other in sorted(path.glob(f"*{sdp.SUFFIX}")):
            if not any(other in found for found in graphs.values()):
                name = sdp.name_and_kind(other)[0] or "NAME"
                raise CorpusError(f"{other} has no {name}{SUFFIX} beside it. Add it, or move the other away.")
    banks = [
        Bank(partial(_sentences, file, others), split_of(file.stem), _language(file.stem))
        for file, others in graphs.items()
    ]
    name = path.resolve().name if path.is_dir() else path.stem
    return bank_corpus(name or "conllu", f"conllu:{path}", banks)


def _beside(file: Path) -> list[Path]:
    """The files of semantic dependencies over the sentences of this one."""
    others = sorted(file.parent.glob(f"*{sdp.SUFFIX}"))
    return [other for other in others if sdp.name_and_kind(other)[0] == file.stem]


def _language(name: str) -> str | None:
    """The language that treebanks such as ``en_ewt-ud-train`` are called by, if that is two letters."""
    match = re.match(r"([a-z]{2})(?:_\w+)?-ud\b", name)
    return match[1] if match else None


def _sentences(file: Path, others: Sequence[Path]) -> Iterator[Sentence]:
    sentences = _of_file(file)
    for other in others:
        sentences = joined(sentences, sdp.sentences_of(other))
    return sentences


def _of_file(file: Path) -> Iterator[Sentence]:
    for block in blocks(file):
        text, draft = None, _Draft()
        for at, line in block:
            if not line.startswith("#"):
                draft.add(at, line.split("\t"))
            elif match := TEXT.fullmatch(line):
                text = match[1].strip()
        if draft.words:
            yield draft.sentence(text)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a word or of a multiword token, which is words `first` to `last`, counted from 0."""

    at: Place
    columns: dict[str, str]
    first: int
    last: int

    @property
    def form(self) -> str:
        return self.columns["FORM"]


class _Draft:
    """A sentence, line by line."""

    def __init__(self) -> None:
        self.words: list[_Line] = []
        self._surface: list[_Line] = []  # what follows each other in the text: words and multiword tokens

    def add(self, at: Place, fields: Sequence[str]) -> None:
        """Add a line that is no comment."""
        if len(fields) != len(COLUMNS):
            raise at.refuse(
                f"{len(fields)} columns", f"{len(COLUMNS)}: {' '.join(COLUMNS)}, separated by tabs"
            )
        columns = dict(zip(COLUMNS, fields, strict=True))
        for name, value in columns.items():
            if not value or (name == "FORM" and value != value.strip()):
                raise at.refuse(f'{name} "{value}"', f'a value without blanks at its ends, or "{NONE}"')
        match = ID.fullmatch(columns["ID"])
        if match is None:
            raise at.refuse(f'ID "{columns["ID"]}"', "a number such as 3, or 3-4 or 3.1")
        number, sign, second = int(match[1]), match[2], int(match[3] or 0)
        n_words = len(self.words)
        covered = bool(self._surface) and n_words <= self._surface[-1].last
        if sign == ".":
            if number != n_words:
                raise at.refuse(f'ID "{columns["ID"]}"', f"empty nodes after word {n_words} as {n_words}.1")
        elif number != n_words + 1 or (sign and (covered or second <= number)):
            raise at.refuse(f'ID "{columns["ID"]}"', f"word {n_words + 1}, as words are counted from 1")
        elif sign:
            self._surface.append(_Line(at, columns, n_words, second - 1))
        else:
            word = _Line(at, columns, n_words, n_words)
            self.words.append(word)
            if not covered:
                self._surface.append(word)

    def sentence(self, text: str | None) -> Sentence:
        """The sentence, now that all its lines are there."""
        last = self._surface[-1]
        if last.last >= len(self.words):
            raise last.at.refuse(f'no word {last.last + 1} for token "{last.columns["ID"]}"', "all its words")
        spans, text = self._spans(text)
        tokens = tuple(_token(line, span) for line, span in zip(self.words, spans, strict=True))
        return Sentence(text, tokens, (*self._tree(), *self._enhanced()))

    def _spans(self, given: str | None) -> tuple[list[Span], str]:
        """The characters of every word, and the text; it is put together where the file does not give it."""
        text = _text(self._surface) if given is None else given
        spans: list[Span] = []
        end = 0
        for line in self._surface:
            start = _after_blanks(text, end)
            if not text.startswith(line.form, start):
                raise line.at.refuse(f'"{line.form}" is not next in the text "{text}"', "its words in order")
            spans += self._within(line, start)
            end = start + len(line.form)
        if rest := text[_after_blanks(text, end) :]:
            raise self._surface[-1].at.refuse(f'no word for "{rest}"', f'all words of "{text}"')
        return spans, text

    def _within(self, line: _Line, start: int) -> list[Span]:
        """The characters of the words of a token: their own if they make up its form, else all of them."""
        forms = [word.form for word in self.words[line.first : line.last + 1]]
        if "".join(forms) != line.form:
            return [(start, start + len(line.form))] * len(forms)
        return list(pairwise(accumulate(map(len, forms), initial=start)))

    def _tree(self) -> Iterator[Edge]:
        """The edges of the basic tree; none if no word of the sentence has a head."""
        if all(line.columns["HEAD"] == NONE for line in self.words):
            return
        heads = [_head(line.at, line.columns["HEAD"], len(self.words)) for line in self.words]
        _check_tree(self.words, heads)
        for n, (line, head) in enumerate(zip(self.words, heads, strict=True)):
            label = line.columns["DEPREL"]
            if label == NONE:
                raise line.at.refuse("no DEPREL", "one for each HEAD")
            yield Edge("ud", head, n, label)

    def _enhanced(self) -> Iterator[Edge]:
        """The edges of the enhanced graph, less those of empty nodes."""
        for n, line in enumerate(self.words):
            deps = line.columns["DEPS"]
            for dep in deps.split("|") if deps != NONE else ():
                head, colon, label = dep.partition(":")
                match = ID.fullmatch(head)
                if not (match and colon and label) or match[2] == "-":
                    raise line.at.refuse(f'DEPS "{deps}"', "heads and labels such as 4:nsubj|6:nsubj")
                if match[2] is None:
                    yield Edge("enhanced", _head(line.at, head, len(self.words)), n, label)


def _token(line: _Line, span: Span) -> Token:
    lemma, upos = line.columns["LEMMA"], line.columns["UPOS"]
    known = None if lemma == NONE != line.form else lemma
    pos = None if upos == NONE else PARTS_OF_SPEECH.get(upos.lower(), upos)
    return Token(line.at, span, line.form, known, pos)


def _after_blanks(text: str, start: int) -> int:
    match = BLANKS.match(text, start)
    return match.end() if match else start


def _text(surface: Sequence[_Line]) -> str:
    blanks = ("" if "SpaceAfter=No" in line.columns["MISC"].split("|") else " " for line in surface)
    return "".join(line.form + blank for line, blank in zip(surface, blanks, strict=True)).rstrip()


def _head(at: Place, number: str, n_words: int) -> int | None:
    """A head given by its number, counted from 0 here; None for the root."""
    if not re.fullmatch("[0-9]{1,6}", number) or int(number) > n_words:
        raise at.refuse(f'head "{number}" in a sentence of {n_words} words', "the number of a word, or 0")
    return int(number) - 1 if int(number) else None


def _check_tree(words: Sequence[_Line], heads: Sequence[int | None]) -> None:
    """Refuse heads that do not lead every word to the one root."""
    roots = [n for n, head in enumerate(heads) if head is None]
    if len(roots) > 1:
        raise words[roots[1]].at.refuse(f'a second root, "{words[roots[1]].form}"', "one to a sentence")
    sound = set(roots)
    for n in range(len(heads)):
        path: dict[int, None] = {}
        at: int | None = n
        while at is not None and at not in sound:
            if at in path:
                raise words[n].at.refuse(f'the heads of "{words[n].form}" run in a circle', "a tree")
            path[at] = None
            at = heads[at]
        sound.update(path)
