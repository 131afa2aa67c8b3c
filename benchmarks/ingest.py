"""Ingesting against the bare forward passes of the same batches.

With ``--shape llama-2-7b --random-weights`` the model has the size of Llama-2-7B, for a GPU; its weights
are random, which does not change how long anything takes.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from report import Figure, main
from transformers import AutoTokenizer, LlamaConfig, LlamaModel
from wic_data import slice_of

import repstore
from repstore import corpus
from repstore.encode.batching import make_batches
from repstore.encode.blocks import choose_batch_tokens
from repstore.encode.encoder import Encoder
from repstore.encode.loading import TORCH_DTYPES, default_device, load
from repstore.encode.models import find_model
from repstore.encode.passes import View, plan_block
from repstore.encode.plan import blocks_of
from repstore.encode.templates import parse_template
from repstore.schemas import rows_per_part
from repstore.spec import Progress

ROUNDS = 3
SHAPES = {
    "llama-2-7b": {
        "hidden_size": 4096,
        "intermediate_size": 11_008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "max_position_embeddings": 4096,
    }
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which model."""
    parser.add_argument("--shape", choices=SHAPES, help="a Llama of this size instead of SmolLM2")
    parser.add_argument("--random-weights", action="store_true", help="needed with --shape")
    parser.add_argument("--template", default="base", help="of the texts")


def measure(options: argparse.Namespace) -> list[Figure]:
    """Alternate bare forward passes and whole ingests; every ingest fills a new store."""
    if bool(options.shape) != options.random_weights:
        raise SystemExit("--shape and --random-weights go together.")
    with tempfile.TemporaryDirectory(prefix="repstore-benchmark-") as folder:
        root = Path(folder)
        source = (
            f"wic:{slice_of(root / 'wic', **({'dev': 150} if options.quick else {'dev': 638, 'test': 1400}))}"
        )
        model = "smollm2" if options.shape is None else str(random_model(root / options.shape, options.shape))
        device = default_device()
        dtype = "bfloat16" if device == "cuda" else "float32"
        batches, n_texts, batch_tokens = batches_of(source, model, dtype, device, options.template)
        _, bare_model = load(find_model(model, print), dtype)
        bare_model = bare_model.to(device)
        bare_model.config.use_cache = False
        bare, loaded, whole = [], [], []
        forward(bare_model, batches[:4], device)
        for _ in range(1 if options.quick else ROUNDS):
            start = time.perf_counter()
            forward(bare_model, batches, device)
            bare.append(time.perf_counter() - start)
            times: dict[str, float] = {}
            start = time.perf_counter()
            repstore.ingest(
                source,
                root / "store",
                model=model,
                templates=[options.template],
                batch_tokens=batch_tokens,
                progress=lambda progress, times=times: note(progress, times),
            )
            whole.append(time.perf_counter() - start)
            loaded.append(time.perf_counter() - times["Planning"])
            n_bytes = sum(path.stat().st_size for path in (root / "store").rglob("*") if path.is_file())
            shutil.rmtree(root / "store")
        n_tokens = sum(int(mask.sum()) for _, mask in batches)
    return [
        Figure("texts", n_texts, ""),
        Figure("tokens", n_tokens, ""),
        Figure("bare forward passes", median(bare), "s"),
        Figure("ingest, model loaded", median(loaded), "s"),
        Figure("ingest, whole call", median(whole), "s"),
        Figure("ingest, model loaded / bare", ratio_of(loaded, bare), "times", at_most=1.05),
        Figure("ingest, whole call / bare", ratio_of(whole, bare), "times"),
        Figure("tokens of the bare passes", n_tokens / median(bare), "per s"),
        Figure("peak memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, "GB"),
        Figure("written", n_bytes / 1e6, "MB"),
    ]


def ratio_of(longer: list[float], shorter: list[float]) -> float:
    """The median of the ratios round by round."""
    return median(a / b for a, b in zip(longer, shorter, strict=True))


def note(progress: Progress, times: dict[str, float]) -> None:
    """Remember when each message came first."""
    times.setdefault(progress.message, time.perf_counter())


def batches_of(
    source: str, model: str, dtype: str, device: str, template: str
) -> tuple[list[tuple[torch.Tensor, torch.Tensor]], int, int]:
    """The batches an ingest makes, as padded ids and masks; the number of texts, and tokens of a batch."""
    encoder = Encoder(find_model(model, print), dtype, device)
    rows = rows_per_part(encoder.n_layers, encoder.d_model)
    batches, n_texts = [], 0
    views = [View(parse_template(template), "mean")]
    plans = [plan_block(encoder, views, *block) for block in blocks_of(corpus.read(source).texts(), rows, ())]
    batch_tokens = choose_batch_tokens(encoder, plans)
    for plan in plans:
        n_texts += len(plan.passes)
        for chosen in make_batches([len(ids) for ids in plan.passes], batch_tokens):
            longest = max(len(plan.passes[at]) for at in chosen)
            ids = torch.zeros((len(chosen), longest), dtype=torch.long)
            mask = torch.zeros_like(ids)
            for n, at in enumerate(chosen):
                ids[n, : len(plan.passes[at])] = torch.tensor(plan.passes[at])
                mask[n, : len(plan.passes[at])] = 1
            batches.append((ids, mask))
    return batches, n_texts, batch_tokens


def forward(model: torch.nn.Module, batches: list[tuple[torch.Tensor, torch.Tensor]], device: str) -> None:
    """The bare forward passes: base model, no outputs but the last."""
    with torch.inference_mode():
        for ids, mask in batches:
            model(input_ids=ids.to(device), attention_mask=mask.to(device))
    if device == "cuda":
        torch.cuda.synchronize()


def random_model(folder: Path, shape: str) -> Path:
    """A Llama of this shape with random weights and the tokenizer of SmolLM2."""
    tokenizer = AutoTokenizer.from_pretrained(find_model("smollm2", print).folder)
    config = LlamaConfig(vocab_size=len(tokenizer), **SHAPES[shape])
    torch.manual_seed(0)
    torch.set_default_dtype(TORCH_DTYPES["bfloat16"])
    with torch.device(default_device()):
        model = LlamaModel(config)
    torch.set_default_dtype(torch.float32)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


if __name__ == "__main__":
    main("Ingesting", measure, add_options)
