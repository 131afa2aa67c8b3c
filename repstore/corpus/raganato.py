"""The unified evaluation framework for word sense disambiguation (Raganato et al. 2017), its layout.

``NAME.data.xml`` has sentences made of ``<wf lemma= pos=>`` and, where a sense was annotated, of
``<instance id= lemma= pos=>``; ``NAME.gold.key.txt`` beside it has a line for every instance, its id and one
or more sense keys of WordNet. The framework has such pairs for SemCor (``Training_Corpora/``), for Senseval-2
and -3, SemEval-2007, -2013 and -2015, and for these five together as ``ALL`` (``Evaluation_Datasets/``).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from repstore.corpus.sentences import Sentence, sentences
from repstore.corpus.source import Corpus, Place, lines
from repstore.corpus.targets import PARTS_OF_SPEECH
from repstore.errors import CorpusError
from repstore.spec import Text, Word

DATA, GOLD = ".data.xml", ".gold.key.txt"
PARTS_OF_ALL = {"senseval2", "senseval3", "semeval2007", "semeval2013", "semeval2015"}


def read_raganato(path: Path) -> Corpus:
    """Read one data file, or all those under a folder, each a split called by its name.

    A text is a sentence, its words and signs joined by single blanks; its words are the instances, each with
    the first of its sense keys. ``ALL`` is passed over in a folder that has the five sets it is made of.
    """
    files = _files(path) if path.is_dir() else [path]
    for file in files:
        if not file.name.endswith(DATA):
            raise CorpusError(
                f"{file} is not called NAME{DATA}. Give such a file, or a folder that has some."
            )
        if not _gold_of(file).is_file():
            raise CorpusError(
                f"{_gold_of(file)} does not exist. Expected the sense keys of {file.name} there."
            )
    return Corpus(
        _split_of(path) if path.is_file() else "raganato",
        f"raganato:{path}",
        lambda: (text for file in files for text in _texts(file)),
        lambda: iter(()),
    )


def _files(folder: Path) -> list[Path]:
    """The data files under a folder, by name."""
    files = sorted(folder.rglob(f"*{DATA}"), key=lambda file: file.name)
    if not files:
        raise CorpusError(f"{folder} has no sense-annotated corpus. Expected files NAME{DATA} in it.")
    names = [_split_of(file) for file in files]
    if twice := [name for name in names if names.count(name) > 1]:
        raise CorpusError(f"{twice[0]}{DATA} is there twice in {folder}. Give a folder that has it once.")
    return [file for file in files if _split_of(file) != "ALL" or not PARTS_OF_ALL.issubset(names)]


def _split_of(file: Path) -> str:
    return file.name.removesuffix(DATA)


def _gold_of(file: Path) -> Path:
    return file.with_name(_split_of(file) + GOLD)


def _texts(file: Path) -> Iterator[Text]:
    keys = _Keys(_gold_of(file))
    for sentence in sentences(file):
        words, others = _words(sentence, keys)
        text = " ".join(word.form for word in sentence.words)
        yield Text(text, words, _split_of(file), sentence.language, others)
    keys.refuse_unused(file)


def _words(sentence: Sentence, keys: _Keys) -> tuple[tuple[Word, ...], tuple[Word, ...]]:
    """The instances of a sentence, and its other words; punctuation is no word."""
    words, others = [], []
    start = position = 0
    for marked in sentence.words:
        form, end = marked.form, start + len(marked.form)
        pos = PARTS_OF_SPEECH.get(marked.pos.lower(), marked.pos) if marked.pos else None
        sense = keys.take(marked.at, marked.id) if marked.id else None
        word = Word(position, start, end, form, marked.lemma, pos, sense)
        if marked.id:
            words.append(word)
        elif any(character.isalnum() for character in form):
            others.append(word)
        start, position = end + 1, position + 1 + form.count(" ")
    return tuple(words), tuple(others)


class _Keys:
    """The first sense key of every instance, each to be taken once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sense: dict[str, str | None] = {}
        for at, line in lines(path):
            if not line.strip():
                continue
            name, *keys = line.split()
            if not keys:
                raise at.refuse(f'no sense key for "{name}"', "an id and one or more sense keys")
            if name in self._sense:
                raise at.refuse(f'"{name}" is there twice', "each instance once")
            self._sense[name] = sys.intern(keys[0])  # far fewer senses than instances

    def take(self, at: Place, name: str) -> str:
        """The sense of an instance."""
        if name not in self._sense:
            raise at.refuse(f'no sense key for "{name}"', f"one in {self._path.name}")
        sense = self._sense[name]
        if sense is None:
            raise at.refuse(f'instance "{name}" is there twice', "each instance once")
        self._sense[name] = None
        return sense

    def refuse_unused(self, data: Path) -> None:
        """Refuse the first key that no instance has taken."""
        unused = next((name for name, sense in self._sense.items() if sense is not None), None)
        if unused is not None:
            at = next(at for at, line in lines(self._path) if line.split()[:1] == [unused])
            raise at.refuse(f'no instance "{unused}"', f"the instances of {data.name}")
