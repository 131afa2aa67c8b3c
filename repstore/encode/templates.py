"""Templates: how a text is rendered for the model, and which characters stand for the word.

A pattern is text with fields: ``{text}``, ``{text:target}`` (the copy in which the word is read; needed
only if the text appears twice), ``{lemma}`` (the form, where the corpus has no lemma) and ``{form}``.
Literal braces are doubled. A custom template is given as ``NAME=PATTERN`` or ``NAME:READING=PATTERN``.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import get_args

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

FIELDS = {"text": ("", "target"), "lemma": ("",), "form": ("",)}


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
        """How often the text occurs in a rendered text."""
        return sum(field == "text" for _, field, _ in _fields(self.pattern))

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
        copies = _fields(self.pattern)
        for literal, field, option in copies:
            rendered += literal
            if field == "text" and (option == "target" or not target):
                target = tuple((len(rendered) + start, len(rendered) + end) for start, end in spans)
            if field:
                rendered += {"text": text, "lemma": lemma or form, "form": form}[field]
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
        if given not in BUILT_IN:
            raise ArgumentError(
                f'No template "{given}". {did_you_mean(given, BUILT_IN)} '
                "Or define one: 'NAME={text} {text:target}'."
            )
        template, reading_of = SHORTHANDS.get(given, (given, None))
        pattern, usual = PATTERNS[template]
        return Template(given, given, template, pattern, reading_of or usual)
    name, colon, reading = head.partition(":")
    if not re.fullmatch(r"[\w.-]+", name) or name in BUILT_IN:
        raise ArgumentError(
            f'"{name}" cannot name a custom template. Use letters, digits, "_", "-" and ".", '
            f"and none of {', '.join(BUILT_IN)}."
        )
    if not colon:
        reading = "target"
    if reading not in get_args(Reading):
        raise ArgumentError(f'No reading "{reading}". {did_you_mean(reading, get_args(Reading))}')
    fields = _fields(pattern)
    options = [option for _, field, option in fields if field == "text"]
    if len(options) > 1 and options.count("target") != 1:
        raise ArgumentError(f'"{pattern}" has the text twice: mark one copy as {{text:target}}.')
    if not pattern.strip():
        raise ArgumentError(f"{given} is blank, so there is no word to read in it.")
    if not options and reading != "last":
        raise ArgumentError(f'"{pattern}" has no {{text}}, so there is no word to read in it.')
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
        if field not in FIELDS or option not in FIELDS[field] or conversion:
            asked = field + (f"!{conversion}" if conversion else "") + (f":{option}" if option else "")
            raise ArgumentError(
                f"No field {{{asked}}} for a template. Use {{text}}, {{text:target}}, {{lemma}}, {{form}}."
            )
    return [(literal, field, option or "") for literal, field, option, _ in parsed]


def _previous(rendered: str, target: tuple[Span, ...]) -> tuple[Span, ...]:
    """The stretch between blanks that precedes the one in which the target begins."""
    if not target:
        return ()
    start = target[0][0]
    before = list(re.finditer(r"\S+", rendered[:start]))
    if before and before[-1].end() == start:  # punctuation stuck to the target
        before.pop()
    return (before[-1].span(),) if before else ()
