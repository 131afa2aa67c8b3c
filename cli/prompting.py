"""Typing SQL in a terminal: lines until a statement ends, history, completion, colors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import platformdirs
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers.sql import SqlLexer

from repstore.cli.dots import command_suggestions
from repstore.cli.suggesting import Names, suggestions

PROMPT, CONTINUED = "repstore> ", "     ...> "
HISTORY = "sql_history"


def prompt_session(names: Callable[[], Names], is_whole: Callable[[str], bool]) -> PromptSession[str]:
    """What reads statements from the terminal.

    Args:
        names: what a query can name; asked for at the first completion.
        is_whole: whether Enter ends a text.
    """
    return PromptSession(
        PROMPT,
        multiline=True,
        prompt_continuation=lambda width, _, n_wraps: " " * width if n_wraps else CONTINUED,
        key_bindings=_keys(is_whole),
        completer=_Completer(names),
        complete_while_typing=False,
        complete_in_thread=True,  # keys go on being heard while names are read
        lexer=PygmentsLexer(SqlLexer),
        history=history(),
    )


def _keys(is_whole: Callable[[str], bool]) -> KeyBindings:
    """Enter ends a text that is whole, and else a line of it; in a menu it takes what is chosen."""
    keys = KeyBindings()

    @keys.add("enter", filter=has_focus(DEFAULT_BUFFER))
    def enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state is not None and buffer.complete_state.current_completion is not None:
            buffer.complete_state = None
        elif is_whole(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.newline(copy_margin=False)

    return keys


class _Completer(Completer):
    """Completes commands and their arguments, and SQL."""

    def __init__(self, names: Callable[[], Names]) -> None:
        self._names = names
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        line = document.text_before_cursor.lstrip()
        if line.startswith(".export "):
            path = line.removeprefix(".export ").lstrip()
            yield from self._paths.get_completions(Document(path), complete_event)
            return
        found = (
            command_suggestions(self._names(), line)
            if line.startswith(".")
            else suggestions(self._names(), document.text_before_cursor, document.text_after_cursor)
        )
        for one in found:
            yield Completion(one.text, -one.n_replaced, display_meta=one.about)


class _KeptHistory(FileHistory):
    def store_string(self, string: str) -> None:
        """Keep a statement, if that can be done: a full disk is no reason to stop asking."""
        with suppress(OSError):
            super().store_string(string)


def history() -> History:
    """What was typed before, kept in a file of the user; or, where none can be, for one session."""
    path = platformdirs.user_state_path("repstore") / HISTORY
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # nobody else's business
        path.open("a+b").close()
    except OSError:
        return InMemoryHistory()
    return _KeptHistory(path)
