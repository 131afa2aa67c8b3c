"""The commands. Each parses, calls the library, and renders; libraries are loaded when a command runs."""

from __future__ import annotations

import importlib.metadata
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from repstore.cli.render import Format, ingest_progress, show, show_report, step_progress
from repstore.cli.signals import TerminatedError, sigterm_interrupts
from repstore.spec import DTypeChoice, Pooling, Standardize, Target, Threshold, WordChoice

if TYPE_CHECKING:
    from repstore.store import Store

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ID = r"\d{14}"
"""How a word_id is written; shorter numbers are words like any other."""

StorePath = Annotated[Path, typer.Argument(metavar="STORE", help="Folder of the store.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How to print the result.")]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw into a .png, .svg or .pdf file.")
]
RunOption = Annotated[
    str | None, typer.Option("--run", help="Name of a run; not needed if the store has one.")
]
LayersOption = Annotated[str, typer.Option(help='Layers: "all", or numbers and ranges such as 0,4,8-12.')]


def _show_version(asked: bool) -> None:
    if asked:
        print(importlib.metadata.version("repstore"))
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run a language model once, keep every layer's word vectors, and query them."""


@app.command()
def ingest(
    source: Annotated[
        str,
        typer.Argument(
            help="Corpus: wic:FOLDER, senses:FILE.jsonl, text:FILE, or rawc, wictsv, mclwic, am2ico, scws, "
            "usim, cosimlex, dwug, raganato or coarsewsd20 with a path (docs/corpora.md)."
        ),
    ],
    store: StorePath,
    model: Annotated[
        str,
        typer.Option(help="smollm2, minilm, a folder, a .gguf file or a Hugging Face id."),
    ],
    template: Annotated[
        list[str],
        typer.Option(help="base, repeat, repeat_prev, prompt1, prompt2 or NAME=PATTERN; repeatable."),
    ] = ["base"],  # noqa: B006  # typer reads it
    words: Annotated[
        WordChoice, typer.Option(help="The annotated words, or all words of the texts.")
    ] = "targets",
    split: Annotated[
        list[str] | None, typer.Option(help="Only the texts and pairs of this split; repeatable.")
    ] = None,
    pooling: Annotated[Pooling, typer.Option(help="How tokens become a word vector.")] = "mean",
    dtype: Annotated[DTypeChoice, typer.Option(help="Of the forward pass.")] = "auto",
    device: Annotated[str | None, typer.Option(help="Such as cpu or cuda:0.")] = None,
    final_norm: Annotated[
        bool, typer.Option(help="Read the last layer after the model's final norm, or before.")
    ] = True,
    batch_tokens: Annotated[
        str, typer.Option(metavar="N|auto", help="Most tokens in a forward pass; halved if memory is short.")
    ] = "auto",
    name: Annotated[str | None, typer.Option(help="Name of the run.")] = None,
    corpus_name: Annotated[str | None, typer.Option(help="Name of the corpus.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Plan, and stop before anything is written.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Begin even if the disk seems too small.")] = False,
) -> None:
    """Run a model over a corpus and store every layer's word vectors.

    Example: repstore ingest wic:WiC_dataset store/ --model smollm2 --template base --template repeat
    """
    import repstore

    with _resumable(), ingest_progress() as progress:
        report = repstore.ingest(
            source,
            store,
            model=model,
            templates=template,
            words=words,
            splits=split,
            pooling=pooling,
            dtype=dtype,
            device=device,
            final_norm=final_norm,
            batch_tokens=_batch_tokens(batch_tokens),
            name=name,
            corpus_name=corpus_name,
            dry_run=dry_run,
            force=force,
            progress=progress,
        )
    show_report(report)


@app.command()
def runs(store: StorePath, format: FormatOption = "table") -> None:
    """List the runs of a store.

    Example: repstore runs store/
    """
    show(_open(store).runs(), format)


@app.command()
def info(store: StorePath, format: FormatOption = "table") -> None:
    """Say what a store holds in total, and what became of the words of each run.

    Example: repstore info store/
    """
    show(_open(store).info(), format)


@app.command()
def words(
    store: StorePath,
    lemma: Annotated[str | None, typer.Option(help="Lemma of the words.")] = None,
    form: Annotated[str | None, typer.Option(help="The words as they stand in the text.")] = None,
    pos: Annotated[str | None, typer.Option(help="Part of speech.")] = None,
    sense: Annotated[str | None, typer.Option(help="Sense.")] = None,
    text: Annotated[str | None, typer.Option(help="Part of their text.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most rows.")] = 50,
    format: FormatOption = "table",
) -> None:
    """Find words, each with its text.

    Example: repstore words store/ --lemma bank
    """
    found = _open(store).words(form=form, lemma=lemma, pos=pos, sense=sense, text=text, limit=limit)
    show(found, format)
    if not len(found):
        print("No words fit; forms and lemmas are matched as they are written.", file=sys.stderr)
    if len(found) == limit:
        print(f"The first {limit}; ask for more with --limit.", file=sys.stderr)


@app.command()
def probe(
    name: Annotated[
        Literal["wic", "pairs"],
        typer.Argument(help="wic: same sense or not. pairs: ratings where the corpus has them, else labels."),
    ],
    store: StorePath,
    run: Annotated[
        list[str] | None,
        typer.Option("--run", help="Name of a run; repeatable; not needed if the store has one."),
    ] = None,
    run_b: Annotated[
        str | None, typer.Option(help="Run of the second word of every pair, if it is another.")
    ] = None,
    layers: LayersOption = "all",
    target: Annotated[
        Target | None, typer.Option(help="Labels or ratings, where the corpus has both.")
    ] = None,
    standardize: Annotated[Standardize, typer.Option(help="What vectors are standardized by.")] = "corpus",
    threshold: Annotated[
        Threshold, typer.Option(help="The best of all, or the first best of 0.00, 0.05, ... 0.95.")
    ] = "exact",
    pos: Annotated[str | None, typer.Option(help="Only pairs of this part of speech.")] = None,
    select_on: Annotated[str, typer.Option(help='Split that chooses the threshold, or "all".')] = "dev",
    evaluate_on: Annotated[
        str | None,
        typer.Option(help="Split that is scored; test for labels, all for ratings, unless given."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|RUN:LAYER|:LAYER",
            help="Show by how much each layer exceeds the same layer of this run, or this layer.",
        ),
    ] = None,
    resamples: Annotated[int, typer.Option(min=0, help="Of the pairs, for intervals; 0 for none.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Decides the resamples.")] = 0,
    format: FormatOption = "table",
    plot: PlotOption = None,
) -> None:
    """Ask every layer whether cosines are higher where meanings are closer, with 95 % intervals.

    Example: repstore probe wic store/ --run smollm2/base --run smollm2/repeat --plot wic.png
    """
    result = _open(store).probe(
        name,
        run=run,
        run_b=run_b,
        layer=_layers(layers),
        target=target,
        standardize=standardize,
        threshold=threshold,
        pos=pos,
        select_on=select_on,
        evaluate_on=evaluate_on,
        against=_against(against),
        resamples=resamples,
        seed=seed,
    )
    show(result, format, plot)


@app.command()
def reproduce(
    study: Annotated[Literal["fantastic-semantics"], typer.Argument(help="Which study.")],
    store: StorePath,
    model: Annotated[str, typer.Option(help="A decoder, as ingest takes it.")],
    wic: Annotated[Path, typer.Option(help="Folder of Word-in-Context.")],
    out: Annotated[Path, typer.Option(help="Folder for the report.")],
    contrast: Annotated[str | None, typer.Option(help="A masked language model.")] = None,
    rawc: Annotated[Path | None, typer.Option(help="File of RAW-C.")] = None,
    prompt_quirk: Annotated[
        bool, typer.Option("--prompt-quirk", help="Also the prompts whose two sides differ by a colon.")
    ] = False,
    dtype: Annotated[
        DTypeChoice, typer.Option(help="Of the forward passes; auto takes what is there.")
    ] = "auto",
    device: Annotated[str | None, typer.Option(help="Such as cpu or cuda:0.")] = None,
    resamples: Annotated[int, typer.Option(min=1, help="Of the pairs, for intervals.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Decides the resamples.")] = 0,
) -> None:
    """Ask of a model what a published study asked, and write a report beside the published figures.

    Example: repstore reproduce fantastic-semantics store/ --model smollm2 --wic WiC_dataset --out report/
    """
    import repstore

    with _resumable(), ingest_progress() as progress:
        done = repstore.reproduce(
            study,
            store,
            model=model,
            wic=wic,
            out=out,
            contrast=contrast,
            rawc=rawc,
            prompt_quirk=prompt_quirk,
            dtype=dtype,
            device=device,
            resamples=resamples,
            seed=seed,
            progress=progress,
        )
    for finding in done.study.findings:
        print(f"{finding.verdict}: {finding.claim}\n    {finding.here}")
    print()
    for path in done.files:
        print(path)


@app.command()
def neighbors(
    store: StorePath,
    word: Annotated[str, typer.Argument(help="A word_id, or a lemma or form with one use.")],
    run: RunOption = None,
    layer: LayersOption = "all",
    k: Annotated[int, typer.Option("-k", min=1, help="Neighbors per layer.")] = 10,
    text: Annotated[str | None, typer.Option(help="Part of the text of the word.")] = None,
    sense: Annotated[str | None, typer.Option(help="Sense of the word.")] = None,
    format: FormatOption = "table",
) -> None:
    """Find the uses nearest to one use of a word.

    Example: repstore neighbors store/ bank --text "muddy bank" --run smollm2/repeat --layer 0,8,16
    """
    with_id = int(word) if re.fullmatch(ID, word) else word
    result = _open(store).neighbors(with_id, run=run, layer=_layers(layer), k=k, text=text, sense=sense)
    show(result, format)


@app.command()
def compare(
    store: StorePath,
    metric: Annotated[Literal["cka"], typer.Option(help="Which similarity.")] = "cka",
    run: RunOption = None,
    layers: LayersOption = "all",
    sample: Annotated[int, typer.Option(min=0, help="Compare over this many words; 0 for all.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Decides the sample.")] = 0,
    format: FormatOption = "table",
    plot: PlotOption = None,
) -> None:
    """Compare every layer with every other.

    Example: repstore compare store/ --metric cka --run smollm2/repeat --plot cka.png
    """
    result = _open(store).compare(metric, run=run, layers=_layers(layers), sample=sample or None, seed=seed)
    show(result, format, plot)


@app.command()
def sql(
    store: StorePath,
    query: Annotated[str, typer.Argument(help="One SELECT statement.")],
    format: FormatOption = "table",
) -> None:
    """Ask in SQL: tables runs corpora texts words pairs skipped parts, and the view vectors.

    Example: repstore sql store/ "SELECT lemma, count(*) AS uses FROM words GROUP BY lemma"
    """
    show(_open(store).sql(query), format)


@app.command()
def verify(store: StorePath, format: FormatOption = "table") -> None:
    """Read every byte of a store and compare it with what was recorded. Exit code 1 if anything is wrong.

    Example: repstore verify store/
    """
    import repstore

    with step_progress("Verifying") as progress:
        found = repstore.verify(store, progress=progress)
    show(found, format)
    if any(problem in ("damaged", "missing", "stale") for problem in found["problem"]):
        raise typer.Exit(1)


@app.command()
def repair(store: StorePath) -> None:
    """Rebuild what is derived, and move damaged files to quarantine/, so that ingest can make them again.

    Example: repstore repair store/
    """
    import repstore

    for line in repstore.repair(store):
        print(line)


@app.command()
def audit(
    store: StorePath,
    run: RunOption = None,
    sample: Annotated[int, typer.Option(min=1, help="Words to recompute.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Decides which.")] = 0,
    model: Annotated[str | None, typer.Option(help="Where the model is now, if it has moved.")] = None,
    device: Annotated[str | None, typer.Option(help="Such as cpu or cuda:0.")] = None,
    format: FormatOption = "table",
    plot: PlotOption = None,
) -> None:
    """Recompute a sample of words with plain Hugging Face code. Exit code 1 if a layer deviates too far.

    Example: repstore audit store/ --run smollm2/base --sample 64
    """
    import repstore

    with ingest_progress() as progress:
        result = repstore.audit(
            store, run=run, sample=sample, seed=seed, model=model, device=device, progress=progress
        )
    show(result, format, plot)
    if not all(result["kept"]):
        raise typer.Exit(1)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where the store and the figures go.")] = Path("demo"),
    corpus: Annotated[Path, typer.Option(help="A sense-annotated corpus.")] = Path("data/polysemy.jsonl"),
) -> None:
    """Do the main job on real sentences with a real model: ingest once, then ask the store.

    Example: repstore demo demo/
    """
    from repstore.cli.demo import run_demo

    run_demo(folder, corpus)


def _open(path: Path) -> Store:
    import repstore

    return repstore.open(path)


@contextmanager
def _resumable() -> Iterator[None]:
    """Ctrl-C and SIGTERM end with the command that goes on."""
    try:
        with sigterm_interrupts():
            yield
    except KeyboardInterrupt as stop:
        print(f"\nInterrupted; what is committed is kept. To resume: {shlex.join(sys.argv)}", file=sys.stderr)
        raise typer.Exit(143 if isinstance(stop, TerminatedError) else 130) from None


def _batch_tokens(given: str) -> int | None:
    if given != "auto" and not given.isdecimal():
        raise typer.BadParameter(f'"{given}" is not "auto" or a number of tokens.')
    return None if given == "auto" else int(given)


def _against(given: str | None) -> str | int | tuple[str, int] | None:
    """A run, a run and a layer of it, or a layer, from RUN, RUN:LAYER or :LAYER."""
    match = re.fullmatch(r"(.*):(\d{1,4})", given or "")
    if match is None:
        return given
    run, layer = match.groups()
    return (run, int(layer)) if run else int(layer)


def _layers(given: str) -> list[int] | Literal["all"]:
    """Layers from "all" or from numbers and ranges such as 0,4,8-12."""
    if given == "all":
        return "all"
    layers: list[int] = []
    for piece in given.split(","):
        match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", piece.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise typer.BadParameter(f'"{given}" is not "all" or layers such as 0,4,8-12.')
        layers += range(first, last + 1)
    return layers
