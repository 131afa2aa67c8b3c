"""Templates: how a text is rendered for the model, and which characters stand for the word.

A pattern is text with fields: ``{text}``, ``{text:target}`` (the copy in which the word is read; needed
only if the text appears twice), ``{window:K}`` (the word and `K` words of the text on either side),
``{lemma}`` (the form, where the corpus has no lemma) and ``{form}``. Literal braces are doubled. A custom
template is given as ``NAME=PATTERN`` or ``NAME:READING=PATTERN``; ``window-K`` is ``{window:K}``.
"""

from __future__ import annotations

import re
import string
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import itemgetter
from typing import get_args

from repstore.corpus.source import CHUNK
from repstore.errors import ArgumentError, did_you_mean
from repstore.spec import Reading, RunSpec, Span

PATTERNS: dict[str, tuple[str, Reading]] = {
    "base": ("{text}", "target"),
    "repeat": ("{text} {text:target}", "target"),
    "prompt1": ('The "{lemma}" in this sentence "{text}" means in one word : "', "last"),
    "prompt2": ('In this sentence "{text}", "{lemma}" means in one word : "', "last"),
}
"""The templates of Liu et al. 2024 (arXiv 2403.01509, section 3), each with its usual reading."""

SHORTHANDS: dict[str, tuple[str, Reading]] = {"repeat_prev": ("repeat", "previous")}
BUILT_IN = (*PATTERNS, *SHORTHANDS)

WINDOW = re.compile(r"window-(0|[1-9][0-9]{0,3})")
"""Names of templates that show the model so many words on either side and no more: how far a word is
interpreted by its nearest words (Zhao et al. 2020, arXiv 2004.12198)."""

FIELDS = {
    "text": re.compile("(?:target)?"),
    "window": re.compile("[0-9]{1,4}"),
    "lemma": re.compile(""),
    "form": re.compile(""),
}
"""What may stand after the colon in each field."""

COPIES = ("text", "window")
"""Fields in which the word can be read."""


@dataclass(frozen=True, slots=True)
class Template:
    """A pattern, and which position of the rendered text stands for the word.

    `given` is what the user asked for. `name` is what runs are called by; it differs from `template`, the
    name of the pattern, only for shorthands.
    """

    given: str
    name: str
    template: str
    pattern: str
    reading: Reading

    @property
    def n_copies(self) -> int:
        """How often the text, or a window of it, occurs in a rendered text."""
        return sum(field in COPIES for _, field, _ in _fields(self.pattern))

    def render(
        self, text: str, spans: Sequence[Span], form: str, lemma: str | None
    ) -> tuple[str, tuple[Span, ...]]:
        """Fill in the pattern.

        Args:
            text: the text.
            spans: characters of the word in the text, piece by piece.
            form: the word as it stands there.
            lemma: its lemma, if known.

        Returns:
            The rendered text and the characters of it to read, piece by piece; none where there is nothing to
            read (no word before the first).
        """
        rendered = ""
        target: tuple[Span, ...] = ()
        for literal, field, option in _fields(self.pattern):
            rendered += literal
            shown = (0, len(text)) if field == "text" else None
            if field == "window":
                shown = _window(text, spans, int(option))
            if shown and (option == "target" or not target):
                moved = len(rendered) - shown[0]
                target = tuple((moved + start, moved + end) for start, end in spans)
            if field:
                rendered += text[slice(*shown)] if shown else form if field == "form" else lemma or form
        match self.reading:
            case "target":
                return rendered, target
            case "previous":
                return rendered, _previous(rendered, target)
            case "last":
                end = len(rendered.rstrip())
                return rendered, ((end - 1, end),) if end else ()


def parse_template(given: str) -> Template:
    """A built-in template by its name, or a custom one from ``NAME=PATTERN`` or ``NAME:READING=PATTERN``.

    Raises:
        ArgumentError: an unknown name, reading or field, or a pattern without a place to read.
    """
    head, equals, pattern = given.partition("=")
    if not equals:
        if (window := WINDOW.fullmatch(given)) is not None:
            return Template(given, given, given, f"{{window:{window[1]}}}", "target")
        if given not in BUILT_IN:
            raise ArgumentError(
                f'No template "{given}". {did_you_mean(given, [*BUILT_IN, "window-K"])} '
                "Or define one: 'NAME={text} {text:target}'."
            )
        template, reading_of = SHORTHANDS.get(given, (given, None))
        pattern, usual = PATTERNS[template]
        return Template(given, given, template, pattern, reading_of or usual)
    name, colon, reading = head.partition(":")
    if not re.fullmatch(r"[\w.-]+", name) or name in BUILT_IN or name.startswith("window-"):
        raise ArgumentError(
            f'"{name}" cannot name a custom template. Use letters, digits, "_", "-" and ".", '
            f"and none of {', '.join(BUILT_IN)}, window-K."
        )
    if not colon:
        reading = "target"
    if reading not in get_args(Reading):
        raise ArgumentError(f'No reading "{reading}". {did_you_mean(reading, get_args(Reading))}')
    fields = _fields(pattern)
    options = [option for _, field, option in fields if field in COPIES]
    if len(options) > 1 and options.count("target") != 1:
        raise ArgumentError(f'"{pattern}" has the text twice: mark one copy as {{text:target}}.')
    if not pattern.strip():
        raise ArgumentError(f"{given} is blank, so there is no word to read in it.")
    if not options and reading != "last":
        raise ArgumentError(f'"{pattern}" has no {{text}} or {{window:K}}, so there is no word to read.')
    return Template(given, name, name, pattern, reading)  # type: ignore[arg-type]  # checked above


def template_of(spec: RunSpec) -> Template:
    """The template of a run."""
    return Template(spec.template, spec.template, spec.template, spec.pattern, spec.reading)


@cache
def _fields(pattern: str) -> list[tuple[str, str | None, str]]:
    try:
        parsed = list(string.Formatter().parse(pattern))
    except ValueError as error:
        raise ArgumentError(f'"{pattern}" is not a template: {error}.') from None
    for _, field, option, conversion in parsed:
        if field is None:
            continue
        if field not in FIELDS or not FIELDS[field].fullmatch(option or "") or conversion:
            asked = field + (f"!{conversion}" if conversion else "") + (f":{option}" if option else "")
            raise ArgumentError(
                f"No field {{{asked}}} for a template. Use {{text}}, {{text:target}}, {{window:K}} with a "
                "number of words K, {lemma}, {form}."
            )
    return [(literal, field, option or "") for literal, field, option, _ in parsed]


def _window(text: str, spans: Sequence[Span], k: int) -> Span:
    """Characters of the stretches between blanks that hold the word, from its first piece to its last, and of
    `k` more on either side, as far as there are any.
    """
    stretches = _stretches(text)
    first = bisect_right(stretches, spans[0][0], key=itemgetter(1))
    last = bisect_left(stretches, spans[-1][1], key=itemgetter(0)) - 1
    start, end = stretches[max(first - k, 0)][0], stretches[min(last + k, len(stretches) - 1)][1]
    return min(start, spans[0][0]), max(end, spans[-1][1])  # blanks at the ends of a word are shown, too


@lru_cache(maxsize=16)
def _stretches(text: str) -> list[Span]:
    """Where the stretches between blanks are: found once for the words of a text, which come together."""
    return [match.span() for match in CHUNK.finditer(text)]


def _previous(rendered: str, target: tuple[Span, ...]) -> tuple[Span, ...]:
    """The stretch between blanks that precedes the one in which the target begins."""
    if not target:
        return ()
    start = target[0][0]
    before = list(re.finditer(r"\S+", rendered[:start]))
    if before and before[-1].end() == start:  # punctuation stuck to the target
        before.pop()
    return (before[-1].span(),) if before else ()
