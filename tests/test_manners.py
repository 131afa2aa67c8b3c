"""What holds for all commands: errors of one line, exit codes, --quiet, --debug, color, what goes where."""

import errno
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import typer
from program import Outcome
from program import repstore as command
from synthetic import SyntheticRun, build_store, corpus_of, random_layers, small_corpus
from typer.main import get_command

import repstore
from repstore.cli import saying
from repstore.cli.app import app
from repstore.cli.manners import walk
from repstore.errors import RepstoreError
from repstore.spec import Text, Word

PROGRAM = [sys.executable, "-m", "repstore"]
COMMANDS = dict(walk(get_command(app)))
WARNS = """
import sys, warnings, logging, repstore.cli.asking as asking
before = asking.open_store
def open_store(path):
    warnings.warn("a library warns")
    logging.getLogger("transformers").warning("a library logs")
    return before(path)
asking.open_store = open_store
from repstore.cli import main
main()
"""
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    run = SyntheticRun("m/base", random_layers(80, 6, 3))
    return build_store(tmp_path_factory.mktemp("stores") / "store", small_corpus(), [run])


def plain_environment() -> dict[str, str]:
    """The environment without what it may say about color."""
    about_color = ("COLOR", "TTY_", "GITHUB_ACTIONS")
    return {name: value for name, value in os.environ.items() if not any(one in name for one in about_color)}


def program(*arguments: object, **environment: str) -> subprocess.CompletedProcess:
    call = [*PROGRAM, *map(str, arguments)]
    return subprocess.run(
        call, capture_output=True, text=True, check=False, env=plain_environment() | environment
    )


@pytest.mark.parametrize("group", [path for path in COMMANDS if any(path == one[:-1] for one in COMMANDS)])
def test_help_lists_the_commands_with_what_each_does_in_whole(group):
    help_of = dict(walk(get_command(app)))
    said = " ".join(command(*group[1:], "--help").out.split())
    for path in COMMANDS:
        if path[:-1] == group:
            assert f" {path[-1]} {help_of[path].help.split(chr(10))[0]}" in said


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_an_option_that_takes_one_value_is_refused_twice(path):
    for option in COMMANDS[path].params:
        if option.opts[0].startswith("-") and not option.is_flag and not option.multiple:
            with pytest.raises(typer.TyperException, match=f"^{option.opts[0]} takes one value, and 2 are"):
                COMMANDS[path].make_context(path[-1], [option.opts[-1], "1", option.opts[0], "2"])


def test_runs_and_layers_are_not_lost_where_one_counts(store):
    asked = ("neighbors", store, "--word-id", 1, "--run", "m/base")
    found = command(*asked, "--layers", 0, "--layer", 1)
    assert (found.code, found.out) == (2, "")
    assert found.err == (
        'repstore: --layers takes one value, and 2 are given. Try "repstore neighbors --help".\n'
    )
    assert command("hubness", store, "--run", "m/base", "--run", "m/base").code == 2
    assert command("runs", store, "-q", "-q").code == 0, "flags are on or off"
    assert command("probe", "wic", store, "--run", "m/base", "--run", "m/base").code == 0, "it takes several"


def raising(monkeypatch, error: BaseException) -> None:
    def open_store(path: Path, transform: str | None = None) -> None:
        raise error

    monkeypatch.setattr("repstore.cli.asking.open_store", open_store)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_takes_quiet_and_debug(path):
    options = {option for parameter in COMMANDS[path].params for option in parameter.opts}
    assert options >= {"-q", "--quiet", "--debug"}


@pytest.mark.parametrize("path", [[], ["probe"], ["probe", "wic"]], ids=" ".join)
def test_help_says_that_there_is_quiet_and_debug(path):
    outcome = command(*path, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert "-q, --quiet" in outcome.out
    assert "--debug" in outcome.out


def test_quiet_leaves_out_remarks_wherever_it_stands(store):
    loud = command("words", store, "--limit", "3")
    assert loud.err == "The first 3; ask for more with --limit.\n"
    for flag in ("-q", "--quiet"):
        for place in (0, 1, 2, 4):
            call: list[object] = ["words", store, "--limit", "3"]
            call.insert(place, flag)
            assert command(*call) == Outcome(0, loud.out, "")


def test_quiet_stands_before_and_behind_the_name_of_a_command_below(store):
    for call in (["-q", "index", "list"], ["index", "-q", "list"], ["index", "list", "-q"]):
        assert command(*call, store).code == 0


def test_quiet_leaves_out_progress_but_no_error(store):
    call = ["hubness", store, "--layers", "0", "-k", "3"]
    assert "Finding neighbors" in command(*call).err
    assert command(*call, "-q").err == ""
    assert command("verify", store, "-q").err == ""
    assert command("runs", store / "none", "-q").err.startswith("repstore: No store at")
    assert command("runs", store, "--fromat", "json", "-q").err.startswith("repstore: No such option")


def test_notes_of_a_result_are_remarks_beside_json_and_quiet_leaves_them_out(store):
    call = ["words", store, "--lemma", "Bank", "--format", "json"]
    said = 'No word has the lemma "Bank". Did you mean "bank"?\n'
    assert (command(*call).out, command(*call).err) == ("[]\n", said)
    assert (command(*call, "-q").out, command(*call, "-q").err) == ("[]\n", "")


def test_quiet_silences_libraries_and_only_as_long_as_the_command_runs(store):
    call = [sys.executable, "-c", WARNS, "runs", str(store)]
    loud = subprocess.run(call, capture_output=True, text=True, check=True)
    assert "a library warns" in loud.stderr
    assert "a library logs" in loud.stderr
    quiet = subprocess.run([*call, "-q"], capture_output=True, text=True, check=True)
    assert (quiet.stdout, quiet.stderr) == (loud.stdout, "")
    command("runs", store, "-q")
    with pytest.warns(UserWarning, match="after"):
        warnings.warn("after", UserWarning, stacklevel=1)
    assert "The first 3" in command("words", store, "--limit", "3").err


UNEXPECTED = {
    "of a library": (ValueError("first\nsecond"), "ValueError: first second. This was not expected; --debug"),
    "without words": (AssertionError(), "AssertionError. This was not expected; --debug shows where."),
    "of memory": (MemoryError(), "MemoryError. This was not expected"),
    "a full disk": (OSError(errno.ENOSPC, "No space left on device", "a/b"), "a/b: No space left on device."),
    "a forbidden file": (PermissionError(errno.EACCES, "Permission denied", "c"), "c: Permission denied."),
    "of this program": (RepstoreError("What,\nwhere."), "What, where."),
}


@pytest.mark.parametrize("case", UNEXPECTED)
def test_any_error_is_one_line_and_debug_shows_where_it_came_from(store, monkeypatch, capsys, case):
    from repstore.cli import main

    error, line = UNEXPECTED[case]
    raising(monkeypatch, error)
    for debug in ([], ["--debug"]):
        monkeypatch.setattr(sys, "argv", ["repstore", "runs", str(store), *debug])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 1
        out, err = capsys.readouterr()
        *where, last = err.splitlines()
        assert out == ""
        assert last.startswith(f"repstore: {line}")
        if debug:
            assert where[0] == "Traceback (most recent call last):"
            assert any("in open_store" in line for line in where)
        else:
            assert not where


@pytest.mark.parametrize("refused", [["--save", "x"], ["--plot", "x.gif"], ["--metric", "x"]], ids=" ".join)
def test_debug_shows_where_an_option_was_refused_that_stands_before_it(store, refused):
    assert "Traceback" in command("compare", store / "none", *refused, "--debug").err


def test_debug_does_not_outlive_its_command(store):
    assert "Traceback" in command("runs", store / "none", "--debug").err
    assert "Traceback" not in command("runs", store / "none").err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["prob"], "No such command 'prob'. Did you mean 'probe'? Try \"repstore --help\"."),
        (["runs", "s", "--fromat", "json"], 'No such option: --fromat. Did you mean --format? Try "repstore'),
        (["probe", "wics"], "No such command 'wics'. Did you mean"),
        (["runs"], "Missing argument 'STORE'. Try \"repstore runs --help\"."),
        (["transform", "fit", "s", "n"], "Missing option '--kind'. Choose from: standardize, center,"),
        (["runs", "s", "--format", "yaml"], "'yaml' is not one of 'table', 'json', 'csv'."),
        (["words", "s", "--limit", "x"], "--limit"),
        (["words", "s", "--limit"], "--limit"),
        (["runs", "s", "t"], "unexpected extra argument"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_wrong_usage_is_one_line_that_says_what_could_be_meant(arguments, line):
    outcome = command(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert line in outcome.err
    assert outcome.err.count("\n") == 1
    assert re.search(r'Try "repstore[a-z -]* --help"\.\n$', outcome.err)


@pytest.mark.parametrize("group", [[], ["probe"], ["transform"]])
def test_a_command_without_arguments_shows_its_help_but_not_as_a_result(group):
    outcome = command(*group)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("Usage: repstore")


def test_several_uses_of_a_word_are_listed_below_the_line_that_says_so(store):
    first, *uses = command("neighbors", store, "bank").err.splitlines()
    assert first == 'repstore: "bank" has 20 uses. Say which, by word_id or by part of the text:'
    assert len(uses) == 11
    assert command("neighbors", store, "bank", "-q").err == f"{first}\n"


def test_a_reader_that_stops_ends_the_program_without_a_word(store):
    wide = "SELECT * FROM vectors, range(200)"
    for call in (f"sql '{store}' '{wide}' --format csv", "--help"):
        script = f"{sys.executable} -m repstore {call} | (exec <&-; sleep 0.1); echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == ("141\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_a_result_that_cannot_be_written_is_an_error():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "repstore: No space left on device.\n")


@pytest.mark.parametrize(
    ("number", "code", "word"), [("SIGINT", 130, "Interrupted"), ("SIGTERM", 143, "Terminated")]
)
def test_whoever_is_asked_to_end_says_so_in_one_line(store, tmp_path, number, code, word):
    marker = tmp_path / "begun"
    waits = (
        "import time, pathlib, repstore.cli.asking as asking\n"
        f"def open_store(path): pathlib.Path({str(marker)!r}).touch(); time.sleep(60)\n"
        "asking.open_store = open_store\nfrom repstore.cli import main; main()"
    )
    call = [sys.executable, "-c", waits, "runs", str(store)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        while not marker.exists():
            assert running.poll() is None
            time.sleep(0.01)
        running.send_signal(getattr(signal, number))
        out, err = running.communicate()
    assert (running.returncode, out, err) == (code, "", f"repstore: {word}.\n")


def test_being_interrupted_before_anything_is_there_to_say_so_is_one_line_too(tmp_path):
    """While Python is still reading the libraries that this program is made with."""
    script = """if True:
        import sys
        import repstore.cli
        class Interrupting:
            def find_spec(name, path=None, target=None):
                if name == "typer":
                    raise KeyboardInterrupt
        sys.meta_path.insert(0, Interrupting)
        repstore.cli.main()
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "repstore: Interrupted.\n")


def on_terminal(*arguments: object, **environment: str) -> str:
    """What the program writes where stdout and stderr are a terminal."""
    pexpect = pytest.importorskip("pexpect")
    running = pexpect.spawn(
        sys.executable,
        ["-m", "repstore", *map(str, arguments)],
        env=plain_environment() | {"TERM": "xterm-256color"} | environment,
        encoding="utf-8",
        dimensions=(40, 120),
        timeout=30,
    )
    shown = running.read()
    running.close()
    return shown


def test_on_a_terminal_there_is_color_unless_it_is_not_wanted(store):
    assert ANSI.search(on_terminal("--help"))
    assert ANSI.search(on_terminal("runs", store))
    for unwanted in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}):
        assert not ANSI.search(on_terminal("--help", **unwanted))
    assert not ANSI.search(on_terminal("hubness", store, "--layers", "0", "-k", "3", NO_COLOR="1"))


def test_in_a_pipe_there_is_no_color(store):
    for call in (["--help"], ["verify", store], ["prob"]):
        done = program(*call, GITHUB_ACTIONS="true", TTY_COMPATIBLE="1")
        assert "\x1b" not in done.stdout + done.stderr


def test_a_stream_that_the_shell_closed_is_neither_written_to_nor_read(store):
    for call, code in (
        (f"runs '{store}' >&-", 0),
        (f"runs '{store}/none' 2>&-", 1),
        (f"sql '{store}' <&-", 0),
    ):
        script = f"{sys.executable} -m repstore {call}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


@pytest.mark.parametrize("format", ["table", "csv"])
def test_output_that_its_encoding_has_no_character_for_is_refused(tmp_path, format):
    root = build_store(tmp_path / "store", corpus_of([Text("\u4e2d", (Word(0, 0, 1, "\u4e2d"),))]))
    done = program("words", root, "--format", format, PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r'repstore: Output is in .*8859-1, which has no ".*"\. Set .*=utf-8\.\n', done.stderr)


def test_what_is_done_with_such_characters_may_be_said(tmp_path):
    root = build_store(tmp_path / "store", corpus_of([Text("\u4e2d", (Word(0, 0, 1, "\u4e2d"),))]))
    done = program(
        "sql", root, "SELECT form FROM words", "--format", "csv", PYTHONIOENCODING="latin-1:replace"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "form\n?\n", "")


def test_color_can_be_asked_for_in_a_pipe():
    assert ANSI.search(program("--help", FORCE_COLOR="1").stdout)


@pytest.mark.parametrize(
    ("called", "again"),
    [
        ("/x/repstore/__main__.py", [sys.executable, "-m", "repstore"]),
        ("/x/pytest/__main__.py", ["/x/pytest/__main__.py"]),
        ("bin/repstore", ["bin/repstore"]),
    ],
)
def test_the_program_says_how_it_is_called_again(monkeypatch, called, again):
    monkeypatch.setattr(sys, "argv", [called])
    assert saying.program() == again


def test_the_package_is_the_program(store):
    done = program("runs", store, "--format", "csv")
    assert (done.returncode, done.stdout) == (0, repstore.open(store).runs().to_csv())
