"""The shell as it is used: statements through a pipe, and a session in a terminal."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

VECTORS = {"run": "VARCHAR", "layer": "INTEGER", "word_id": "BIGINT", "vector": "FLOAT[]"}
PROGRAM = [sys.executable, "-c", "from repstore.cli import main; main()"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    runs = [SyntheticRun("m/base", random_layers(80, 20, 2))]
    return build_store(tmp_path_factory.mktemp("stores") / "store", small_corpus(), runs)


def piped(folder: Path, sql: str | bytes, *arguments: str) -> subprocess.CompletedProcess:
    data = sql.encode() if isinstance(sql, str) else sql
    return subprocess.run([*PROGRAM, "sql", str(folder), *arguments], input=data, capture_output=True)


def test_statements_through_a_pipe_are_answered_in_turn_up_to_the_first_error(folder):
    script = "SELECT 1 AS a;\n.tables vectors\nSELECT ';' AS b,\n2 AS c; -- more\nSELECT nothing;\nSELECT 3;"
    done = piped(folder, script, "--format", "json")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        [{"a": 1}],
        [{"column": name, "type": kind} for name, kind in VECTORS.items()],
        [{"b": ";", "c": 2}],
    ]
    assert done.returncode == 1
    assert done.stderr.startswith(b"repstore: ")
    assert b"nothing" in done.stderr
    assert b"Traceback" not in done.stderr


def test_through_a_pipe_there_is_no_prompt_no_color_and_nobody_to_ask(folder, tmp_path):
    path = tmp_path / "out.csv"
    done = piped(folder, f"SELECT 'x' AS a, 2 AS b\n;\n.export {path}\nSELECT 3;\n.export {path}\nSELECT 4;")
    assert done.stdout.decode().splitlines() == [
        "Result of SQL",
        " a  b",
        " x  2",
        "Result of SQL",
        " 3",
        " 3",
    ]
    wrote, refused = done.stderr.decode().splitlines()
    assert wrote == f"Wrote 1 row to {path}"
    assert refused.startswith(f"repstore: {path} is there already")
    assert (done.returncode, path.read_text()) == (1, "a,b\nx,2\n")


def test_sql_that_is_not_utf_8_is_refused(folder):
    done = piped(folder, b"SELECT '\xff';")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"repstore: SQL has to be in UTF-8")


ESCAPE = re.compile(r"\x08|\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]")
ENDLESS = "SELECT count(*) FROM range(9000000) AS a, range(9000000) AS b WHERE a.range % 7 = b.range % 11;"


class Terminal:
    """A session with the shell, as a user at a keyboard has it."""

    def __init__(self, folder: Path, home: Path) -> None:
        environment = os.environ | {
            "XDG_STATE_HOME": str(home),
            "TERM": "xterm",
            "NO_COLOR": "1",
            "PROMPT_TOOLKIT_NO_CPR": "1",  # nobody answers where the cursor is
        }
        self._process = pexpect.spawn(
            PROGRAM[0],
            [*PROGRAM[1:], "sql", str(folder)],
            env=environment,
            dimensions=(40, 120),
            encoding="utf-8",
        )
        self._unread = ""

    def keys(self, keys: str) -> None:
        self._process.send(keys)

    def sees(self, text: str, patience: float = 30) -> bool:
        """Whether a text comes, but for blanks: the terminal is told to go to a column instead."""
        wanted, until = "".join(text.split()), time.monotonic() + patience
        while wanted not in self._unread:
            try:
                new = self._process.read_nonblocking(1000, timeout=max(0, until - time.monotonic()))
            except (pexpect.TIMEOUT, pexpect.EOF):
                return False
            self._unread = "".join(ESCAPE.sub("", self._unread + new).split())
        self._unread = self._unread.partition(wanted)[2]
        return True

    def interrupted(self, text: str) -> bool:
        """Press Ctrl-C until a text is there: a program that is not listening yet misses the first."""
        return any(self._process.send("\x03") and self.sees(text, patience=0.5) for _ in range(60))

    def ended(self) -> int:
        """Wait for the end, and say with which exit code."""
        self._process.expect_exact(pexpect.EOF)
        self._process.close()
        return self._process.exitstatus


def test_a_session_in_a_terminal(folder, tmp_path):
    terminal = Terminal(folder, tmp_path)
    assert terminal.sees("1 run in")
    assert terminal.sees("repstore>")
    terminal.keys("SELECT count(*) AS n_of\r")
    assert terminal.sees("...>")
    terminal.keys("FROM wor\t")
    assert terminal.sees("FROM words")
    terminal.keys(";\r")
    assert terminal.sees("n_of 80 1 row (")

    terminal.keys(".tab\t")
    assert terminal.sees(".tables")
    terminal.keys(" texts\r")
    assert terminal.sees("language VARCHAR")
    path = tmp_path / "count.csv"
    terminal.keys(f".export {path}\r")
    assert terminal.sees(f"Wrote 1 row to {path}")
    assert path.read_text() == "n_of\n80\n"
    terminal.keys(f".export {path}\r")
    assert terminal.sees("Write over it?")
    terminal.keys("n")
    assert terminal.sees("is left as it is")

    terminal.keys("SELECT nothing FROM words;\r")
    assert terminal.sees("LINE 1: SELECT nothing FROM words; ^^^^^^^")

    terminal.keys("SELECT 'never asked'")
    terminal.keys("\x03SELECT 'asked' AS it;\r")
    assert terminal.sees("it asked 1 row (")

    terminal.keys(f"{ENDLESS}\r")
    assert terminal.interrupted("Stopped.")
    assert terminal.sees("repstore>")
    terminal.keys("\x04")
    assert terminal.ended() == 0

    terminal = Terminal(folder, tmp_path)
    assert terminal.sees("repstore>")
    terminal.keys("\x1b[A")  # up
    assert terminal.sees(ENDLESS)
    terminal.keys("\x03exit\r")
    assert terminal.ended() == 0
