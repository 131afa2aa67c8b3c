"""Commands that make a store, or what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from repstore.cli.ending import resumable
from repstore.cli.options import StorePath
from repstore.cli.render import show_report, showing_progress
from repstore.spec import DTypeChoice, Pooling, WordChoice


def ingest(
    source: Annotated[
        str,
        typer.Argument(
            help="Corpus: wic:FOLDER, senses:FILE.jsonl, text:FILE, or rawc, wictsv, mclwic, am2ico, scws, "
            "usim, cosimlex, dwug, raganato, coarsewsd20, conllu or sdp with a path (docs/corpora.md)."
        ),
    ],
    store: StorePath,
    model: Annotated[
        str,
        typer.Option(help="smollm2, minilm, a folder, a .gguf file or a Hugging Face id."),
    ],
    template: Annotated[
        list[str],
        typer.Option(
            help="base, repeat, repeat_prev, prompt1, prompt2, window-K or NAME=PATTERN; repeatable."
        ),
    ] = ["base"],  # noqa: B006  # typer reads it
    words: Annotated[
        WordChoice, typer.Option(help="The annotated words, or all words of the texts.")
    ] = "targets",
    split: Annotated[
        list[str] | None,
        typer.Option(help="Only the texts of this split, with their pairs and edges; repeatable."),
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

    with resumable(), showing_progress(plans=not dry_run) as progress:
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

    with resumable(), showing_progress() as progress:
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


def demo(
    folder: Annotated[Path, typer.Argument(help="Where the store and the figures go.")] = Path("demo"),
    corpus: Annotated[Path, typer.Option(help="A sense-annotated corpus.")] = Path("data/polysemy.jsonl"),
) -> None:
    """Do the main job on real sentences with a real model: ingest once, then ask the store.

    Example: repstore demo demo/
    """
    from repstore.cli.demo import run_demo

    run_demo(folder, corpus)


def _batch_tokens(given: str) -> int | None:
    if given != "auto" and not given.isdecimal():
        raise typer.BadParameter(f'"{given}" is not "auto" or a number of tokens.')
    return None if given == "auto" else int(given)
