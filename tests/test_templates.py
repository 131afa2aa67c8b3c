from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstore.encode.templates import BUILT_IN, parse_template
from repstore.errors import ArgumentError, RepstoreError

TEXT = "She sat on the banks."
SPAN = (15, 20)
FORM, LEMMA = "banks", "bank"


def read(template: str, text: str = TEXT, span: tuple[int, int] = SPAN, lemma: str | None = LEMMA):
    """The rendered text and what is read of it."""
    rendered, found = parse_template(template).render(text, [span], text[slice(*span)], lemma)
    assert len(found) <= 1
    return rendered, rendered[slice(*found[0])] if found else None, found[0] if found else None


@pytest.mark.parametrize(
    ("template", "rendered", "span"),
    [
        ("base", "She sat on the banks.", (15, 20)),
        ("repeat", "She sat on the banks. She sat on the banks.", (37, 42)),
        ("repeat_prev", "She sat on the banks. She sat on the banks.", (33, 36)),
        (
            "prompt1",
            'The "bank" in this sentence "She sat on the banks." means in one word : "',
            (72, 73),
        ),
        (
            "prompt2",
            'In this sentence "She sat on the banks.", "bank" means in one word : "',
            (69, 70),
        ),
    ],
)
def test_built_in_templates_render_and_read_as_in_the_paper(template, rendered, span):
    assert parse_template(template).render(TEXT, [SPAN], FORM, LEMMA) == (rendered, (span,))


def test_every_built_in_template_is_among_the_examples():
    assert set(BUILT_IN) == {"base", "repeat", "repeat_prev", "prompt1", "prompt2"}


def test_a_prompt_names_the_form_where_the_lemma_is_not_known():
    rendered, _, _ = read("prompt2", lemma=None)
    assert rendered == 'In this sentence "She sat on the banks.", "banks" means in one word : "'


def test_repeat_prev_reads_the_end_of_the_first_copy_for_the_first_word():
    rendered, word, span = read("repeat_prev", text="Banks lend money.", span=(0, 5))
    assert (rendered, word, span) == ("Banks lend money. Banks lend money.", "money.", (11, 17))


def test_nothing_precedes_the_first_word_of_a_text_that_stands_once():
    assert read("before:previous={text}", text="Banks lend.", span=(0, 5)) == ("Banks lend.", None, None)


@pytest.mark.parametrize(
    ("text", "word", "previous"),
    [
        ("the old bank", "bank", "old"),
        ("the (bank) here", "bank", "the"),  # the bracket stuck to the word is not what precedes it
        ("the\u00a0bank", "bank", "the"),
        ("a river-bank", "bank", "a"),
        ("well, bank", "bank", "well,"),
        ("(bank", "bank", None),
        ("  bank", "bank", None),
    ],
)
def test_previous_reads_the_stretch_between_blanks_before_the_word(text, word, previous):
    start = text.index(word)
    _, found, _ = read("before:previous={text}", text=text, span=(start, start + len(word)))
    assert found == previous


@pytest.mark.parametrize(
    ("pattern", "rendered", "word"),
    [
        ("mine={text}", "She sat on the banks.", "banks"),
        ("mine:target=Say: {text}", "Say: She sat on the banks.", "banks"),
        ("mine={text:target} / {text}", "She sat on the banks. / She sat on the banks.", "banks"),
        ("mine:last={form}, {lemma}: ", "banks, bank: ", ":"),  # not the blank after it
        ("mine:last=word", "word", "d"),
        ("mine={{{text}}} {{}}", "{She sat on the banks.} {}", "banks"),
        ("mine=a=b {text}", "a=b She sat on the banks.", "banks"),
        ("my.own-1=ひ {text}", "ひ She sat on the banks.", "banks"),
    ],
)
def test_custom_templates(pattern, rendered, word):
    assert read(pattern)[:2] == (rendered, word)


def test_the_marked_copy_is_the_one_that_is_read():
    assert read("mine={text:target} {text}")[2] == (15, 20)
    assert read("mine={text} {text:target}")[2] == (37, 42)


def test_the_pieces_of_a_word_are_read_in_the_same_copy():
    text, pieces = "They turned it off.", [(5, 11), (15, 18)]
    rendered, found = parse_template("repeat").render(text, pieces, "turned off", "turn off")
    assert found == ((25, 31), (35, 38))
    assert [rendered[slice(*piece)] for piece in found] == ["turned", "off"]
    rendered, found = parse_template("repeat_prev").render(text, pieces, "turned off", "turn off")
    assert [rendered[slice(*piece)] for piece in found] == ["They"]  # before the first piece
    rendered, found = parse_template("prompt2").render(text, pieces, "turned off", "turn off")
    assert rendered == 'In this sentence "They turned it off.", "turn off" means in one word : "'
    assert found == ((len(rendered) - 1, len(rendered)),)


def test_braces_in_a_text_or_a_lemma_are_not_fields():
    rendered, word, _ = read("mine={text} {lemma}", text="a {form} b", span=(2, 8), lemma="{text}")
    assert (rendered, word) == ("a {form} b {text}", "{form}")


def test_a_template_knows_its_name_its_pattern_and_its_reading():
    shorthand, custom = parse_template("repeat_prev"), parse_template("mine:last={text}")
    assert (shorthand.name, shorthand.template, shorthand.reading) == ("repeat_prev", "repeat", "previous")
    assert shorthand.pattern == parse_template("repeat").pattern
    assert (custom.name, custom.template, custom.reading) == ("mine", "mine", "last")


@pytest.mark.parametrize(
    ("text", "word", "template", "rendered"),
    [
        ("She sat on the banks.", "banks", "window-0", "banks."),
        ("She sat on the banks.", "banks", "window-2", "on the banks."),
        ("She sat on the banks.", "sat", "window-1", "She sat on"),
        ("She sat on the banks.", "on", "window-2", "She sat on the banks."),
        ("She sat on the banks.", "on", "window-999", "She sat on the banks."),
        (" a \t(river-bank),  here ", "bank", "window-0", "(river-bank),"),
        (" a \t(river-bank),  here ", "bank", "window-1", "a \t(river-bank),  here"),
        ("in New York now", "New York", "window-0", "New York"),
        ("in New York now", "New York", "window-1", "in New York now"),
        ("bank", "bank", "window-3", "bank"),
    ],
)
def test_a_window_is_the_word_with_so_many_stretches_on_either_side(text, word, template, rendered):
    start = text.index(word)
    shown, found, _ = read(template, text=text, span=(start, start + len(word)))
    assert (shown, found) == (rendered, word)


@pytest.mark.parametrize(
    ("k", "rendered", "found"),
    [
        (0, "turned it off.", ((0, 6), (10, 13))),
        (1, "They turned it off. Now", ((5, 11), (15, 18))),
    ],
)
def test_a_window_reaches_from_the_first_piece_of_a_word_to_the_last(k, rendered, found):
    text, pieces = "Well. They turned it off. Now sleep.", [(11, 17), (21, 24)]
    assert parse_template(f"window-{k}").render(text, pieces, "turned off", None) == (rendered, found)


def test_a_window_can_be_part_of_a_pattern_and_be_read_otherwise():
    assert read("said=He said: {window:1}") == ("He said: the banks.", "banks", (13, 18))
    assert read("said:previous={window:1}")[1] == "the"
    assert read("said:previous={window:0}")[1] is None
    assert read("said:last={window:0} {lemma}")[:2] == ("banks. bank", "k")


def test_a_window_beside_the_marked_text_is_not_read():
    rendered, word, place = read("both={window:1} | {text:target}")
    assert (rendered, word, place) == ("the banks. | She sat on the banks.", "banks", (28, 33))
    rendered, word, place = read("both={text:target} | {window:1}")
    assert (rendered, word, place) == ("She sat on the banks. | the banks.", "banks", (15, 20))


def test_a_window_template_knows_its_name_its_pattern_and_its_reading():
    window, custom = parse_template("window-2"), parse_template("near={window:2}")
    assert (window.name, window.template, window.reading) == ("window-2", "window-2", "target")
    assert window.pattern == custom.pattern == "{window:2}"
    assert (window.n_copies, parse_template("x={window:1}{text:target}").n_copies) == (1, 2)


@st.composite
def texts_with_a_word(draw: st.DrawFn) -> tuple[str, tuple[int, int]]:
    before, after = draw(st.text(max_size=20)), draw(st.text(max_size=20))
    word = draw(st.text(min_size=1, max_size=8).filter(lambda word: word == word.strip()))
    return before + word + after, (len(before), len(before) + len(word))


@given(texts_with_a_word(), st.sampled_from(["base", "repeat", "x={{}}{text}{lemma}{text:target}{form}"]))
def test_the_span_always_reads_the_word(annotated, template):
    text, span = annotated
    rendered, word, _ = read(template, text=text, span=span)
    assert word == text[slice(*span)]
    assert text in rendered


def window_by_hand(text: str, start: int, end: int, k: int) -> str:
    """Character by character: to either side over the rest of the stretch, then `k` times over the next."""
    for direction in (-1, 1):
        at = start - 1 if direction < 0 else end
        for n in range(k + 1):
            reached = at
            while n and 0 <= at < len(text) and text[at].isspace():
                at += direction
            if not 0 <= at < len(text):
                at = reached  # nothing but blanks: not shown
                break
            while 0 <= at < len(text) and not text[at].isspace():
                at += direction
        start, end = (at + 1, end) if direction < 0 else (start, at)
    return text[start:end]


@given(texts_with_a_word(), st.integers(0, 4))
def test_a_window_is_a_piece_of_the_text_as_it_stands(annotated, k):
    text, span = annotated
    rendered, word, _ = read(f"window-{k}", text=text, span=span)
    assert word == text[slice(*span)]
    assert rendered == window_by_hand(text, *span, k)


@given(texts_with_a_word())
def test_previous_reads_one_whole_stretch_that_ends_before_the_word(annotated):
    text, span = annotated
    rendered, found, place = read("repeat_prev", text=text, span=span)
    in_second_copy = len(text) + 1 + span[0]
    if place is None:  # every character before the word is stuck to it
        assert not any(c.isspace() for c in rendered[:in_second_copy].strip())
        return
    start, end = place
    assert found.split() == [found]
    assert end <= in_second_copy
    assert rendered[end : end + 1].isspace()
    assert start == 0 or rendered[start - 1].isspace()
    between = rendered[end:in_second_copy].split()
    assert len(between) <= 1  # at most what is stuck to the word


@given(texts_with_a_word())
def test_last_reads_the_last_character_that_is_not_blank(annotated):
    text, span = annotated
    rendered, found, place = read("x:last={text}", text=text, span=span)
    assert place is not None
    assert found == rendered.rstrip()[-1]
    assert not rendered[place[1] :].strip()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("bse", 'No template "bse". Did you mean "base"?'),
        ("", 'No template ""'),
        ("base={text}", '"base" cannot name a custom template'),
        ("repeat_prev={text}", '"repeat_prev" cannot name'),
        ("my own={text}", '"my own" cannot name'),
        ("={text}", '"" cannot name'),
        ("a/b={text}", '"a/b" cannot name'),
        ("x:lst={text}", 'No reading "lst". Did you mean "last"?'),
        ("x:={text}", 'No reading ""'),
        ("x={text} {text}", "mark one copy as {text:target}"),
        ("x={text:target} {text:target}", "mark one copy as {text:target}"),
        ("window", 'No template "window". Did you mean "window-K"?'),
        ("window-", 'No template "window-"'),
        ("window--1", 'No template "window--1"'),
        ("window-02", 'No template "window-02"'),
        ("window-2={text}", '"window-2" cannot name'),
        ("x={text} {window:2}", "mark one copy as {text:target}"),
        ("x={window:1} {window:2}", "mark one copy as {text:target}"),
        ("x={window}", "No field {window}"),
        ("x={window:-1}", "No field {window:-1}"),
        ("x={window:two}", "No field {window:two}"),
        ("x={window:²}", "No field {window:²}"),
        ("x={window:target}", "No field {window:target}"),
        ("x={lemma}", "no {text} or {window:K}, so there is no word to read"),
        ("x:previous=word", "no {text} or {window:K}, so there is no word to read"),
        ("x={txt}", "No field {txt}"),
        ("x={}", "No field {}"),
        ("x={0}", "No field {0}"),
        ("x={text:first}", "No field {text:first}"),
        ("x={text:>20}", "No field {text:>20}"),
        ("x={lemma:target} {text}", "No field {lemma:target}"),
        ("x={text.upper}", "No field {text.upper}"),
        ("x={text[0]}", "No field {text[0]}"),
        ("x={text!r}", "No field {text!r}"),
        ("x={text", "is not a template"),
        ("x={text}}", "is not a template"),
        ("x:last=", "no word to read"),
        ("x:last=  ", "no word to read"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_with_the_reason(asked, message):
    with pytest.raises(ArgumentError) as caught:
        parse_template(asked)
    assert message in str(caught.value)
    assert isinstance(caught.value, RepstoreError)
