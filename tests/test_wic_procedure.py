"""The Word-in-Context probe against the study's procedure, written again from its description.

Liu et al. 2024 (arXiv 2403.01509), section 3, on 48 dev and 48 test pairs of the real corpus with a real
model. The second half of this file knows nothing of repstore: it reads the files, renders the texts, runs
transformers on one text at a time, finds the tokens of a word by their offsets, and loops.

Both sides round word vectors to float16, as a store keeps them, and ingest runs one text at a time here, too:
vectors are the same to the last bit, and no answer hangs on how texts were batched.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cosine_similarity
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerBase

import repstore
from repstore.encode.models import EMBEDDED, find_model

N_PAIRS = 48
TEMPLATES = ["base", "repeat", "repeat_prev", "prompt2"]
N_LAYERS = 31

pytestmark = pytest.mark.model


@pytest.fixture(scope="module", autouse=True)
def all_threads() -> Iterator[None]:
    """Other tests, with tiny models, leave torch with one."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The first pairs of dev and test, in the official layout."""
    data = Path(os.environ.get("REPSTORE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (data / "wic").is_dir():
        pytest.skip(f"Word-in-Context is not at {data} (REPSTORE_TEST_DATA)")
    if find_spec(EMBEDDED["smollm2"].package) is None:
        pytest.skip("the embedded model smollm2 is not installed")
    folder = tmp_path_factory.mktemp("wic")
    for split in ("dev", "test"):
        (folder / split).mkdir()
        for kind in ("data", "gold"):
            name = f"{split}/{split}.{kind}.txt"
            lines = (data / "wic" / name).read_text(encoding="utf-8").splitlines(keepends=True)
            (folder / name).write_text("".join(lines[:N_PAIRS]), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def store(folder, tmp_path_factory) -> Iterator[repstore.Store]:
    path = tmp_path_factory.mktemp("store")
    report = repstore.ingest(
        f"wic:{folder}",
        path,
        model="smollm2",
        templates=TEMPLATES,
        dtype="float32",
        device="cpu",
        batch_tokens=1,
    )
    assert [run.n_skipped for run in report.runs] == [0] * len(TEMPLATES)
    with repstore.open(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def pairs(folder) -> dict[str, list[Pair]]:
    return {split: read_pairs(folder, split) for split in ("dev", "test")}


@pytest.fixture(scope="module")
def vectors(store, pairs) -> dict[str, dict[Use, torch.Tensor]]:
    uses = {use: None for split in pairs for first, second, _ in pairs[split] for use in (first, second)}
    return word_vectors(find_model("smollm2", print).folder, list(uses))


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_vectors_in_the_store_are_those_of_the_procedure_to_the_last_bit(store, vectors, template):
    words = list(store.sql("SELECT * FROM words JOIN texts USING (text_id) ORDER BY word_id"))
    assert len(words) == len(vectors[template])
    uses = [(row["split"], row["text"], row["position"], row["lemma"], row["pos"]) for row in words]
    for layer in range(N_LAYERS):
        stored = torch.from_numpy(store.vectors(run=f"smollm2/{template}", layer=layer).values.copy())
        assert torch.equal(stored, torch.stack([vectors[template][use][layer] for use in uses]))


@pytest.mark.parametrize("pos", [None, "N", "V"])
@pytest.mark.parametrize("standardize", ["none", "side", "batch30", "corpus"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_thresholds_and_accuracies_equal_those_of_the_procedure(
    store, pairs, vectors, template, standardize, pos
):
    result = store.probe(
        "wic",
        run=f"smollm2/{template}",
        standardize=standardize,
        threshold="grid",
        pos=pos,
        select_on="dev",
        evaluate_on="test",
        resamples=0,
    )
    dev, test = ([pair for pair in pairs[split] if pos in (None, pair[0][4])] for split in ("dev", "test"))
    if pos == "N":
        assert len(dev) % 30 == 1  # the last batch is of one pair
    expected = [
        threshold_and_accuracy(vectors[template], layer, dev, test, standardize) for layer in range(N_LAYERS)
    ]
    assert list(zip(result["threshold"], result["accuracy"], strict=True)) == expected
    assert set(result["n_pairs"]) == {len(test)}
    assert set(result["n_missing"]) == {0}


# From here on: the procedure. Nothing of repstore is used.

Use = tuple[str, str, int, str, str]
"""A word of a sentence: split, sentence, index among the words between blanks, lemma, part of speech."""

Pair = tuple[Use, Use, bool]


def read_pairs(folder: Path, split: str) -> list[Pair]:
    data = (folder / split / f"{split}.data.txt").read_text(encoding="utf-8").splitlines()
    gold = (folder / split / f"{split}.gold.txt").read_text(encoding="utf-8").splitlines()
    pairs = []
    for line, label in zip(data, gold, strict=True):
        lemma, pos, indices, first, second = line.split("\t")
        i, j = indices.split("-")
        pairs.append(
            (
                (split, first.strip(), int(i), lemma, pos),
                (split, second.strip(), int(j), lemma, pos),
                label == "T",
            )
        )
    return pairs


def word_vectors(folder: Path, uses: list[Use]) -> dict[str, dict[Use, torch.Tensor]]:
    """Every template's vector of every word, a row per layer, in float16."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    vectors: dict[str, dict[Use, torch.Tensor]] = {template: {} for template in TEMPLATES}
    for use in uses:
        _, sentence, index, lemma, _ = use
        words = sentence.split()
        start = 0
        for word in words[:index]:
            start = sentence.index(word, start) + len(word)
        start = sentence.index(words[index], start)
        end = start + len(words[index])

        twice = f"{sentence} {sentence}"
        shift = len(sentence) + 1
        # The word between blanks before the second mention: of the first copy, if the word is the first.
        before = twice[: shift + start].rstrip()
        previous = before.split()[-1]
        spans = {
            "repeat": (shift + start, shift + end),
            "repeat_prev": (len(before) - len(previous), len(before)),
        }
        once = tokenizer(sentence)["input_ids"]
        if tokenizer(twice)["input_ids"][: len(once)] == once:
            spans["base"] = (
                start,
                end,
            )  # a decoder does not look ahead: the first copy is the sentence alone
        else:
            vectors["base"][use] = read(model, tokenizer, sentence, {"base": (start, end)})["base"]
        for template, vector in read(model, tokenizer, twice, spans).items():
            vectors[template][use] = vector

        prompt = f'In this sentence "{sentence}", "{lemma}" means in one word : "'
        last = {"prompt2": (len(prompt) - 1, len(prompt))}
        vectors["prompt2"][use] = read(model, tokenizer, prompt, last)["prompt2"]
    return vectors


def read(
    model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase, text: str, spans: dict[str, tuple[int, int]]
) -> dict[str, torch.Tensor]:
    """One forward pass: the mean hidden state of the tokens of each span, a row per layer, in float16."""
    encoded = tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
    offsets = encoded.pop("offset_mapping")[0].tolist()
    with torch.inference_mode():
        states = model(**encoded, output_hidden_states=True).hidden_states
    means = {}
    for name, (start, end) in spans.items():
        tokens = []
        for token, (first, last) in enumerate(offsets):
            if any(first <= at < last for at in range(start, end)):  # a word has no blanks
                tokens.append(token)
        layers = []
        for state in states:
            total = state[0, tokens[0]]
            for token in tokens[1:]:
                total = total + state[0, token]
            layers.append((total / len(tokens)).half())
        means[name] = torch.stack(layers)
    return means


def standardized(rows: torch.Tensor, over: torch.Tensor) -> torch.Tensor:
    """(x - mean) / (std + 1e-6), by the mean and deviation of each column of `over`.

    Taken from the first row, so that a column of equal values is 0 and not the rounding of their mean. One
    row has no deviation: as in the study's code, its cosine is not a number then, and exceeds no threshold.
    """
    if len(over) == 1:
        return torch.full_like(rows, torch.nan)
    from_first = over - over[0]
    return (rows - over[0] - from_first.mean(0)) / (from_first.std(0, correction=1) + 1e-6)


def cosines(vectors: dict[Use, torch.Tensor], layer: int, pairs: list[Pair], standardize: str) -> list[float]:
    sides = [torch.stack([vectors[pair[side]][layer] for pair in pairs]).double() for side in (0, 1)]
    if standardize == "corpus":
        words = torch.stack([vector[layer] for vector in vectors.values()]).double()
        sides = [standardized(side, words) for side in sides]
    if standardize == "side":
        sides = [standardized(side, side) for side in sides]
    if standardize == "batch30":
        sides = [
            torch.cat([standardized(batch, batch) for batch in side.split(30)])  # the last may be short
            for side in sides
        ]
    return [float(cosine_similarity(a, b, dim=0)) for a, b in zip(*sides, strict=True)]


def accuracy(cosines: list[float], pairs: list[Pair], threshold: float) -> float:
    n_right = 0
    for cosine, (_, _, same) in zip(cosines, pairs, strict=True):
        if (cosine > threshold) == same:
            n_right += 1
    return n_right / len(pairs)


def threshold_and_accuracy(
    vectors: dict[Use, torch.Tensor], layer: int, dev: list[Pair], test: list[Pair], standardize: str
) -> tuple[float, float]:
    of_dev = cosines(vectors, layer, dev, standardize)
    best, best_accuracy = 0.0, -1.0
    for step in range(20):
        threshold = step * 5 / 100
        if accuracy(of_dev, dev, threshold) > best_accuracy:
            best, best_accuracy = threshold, accuracy(of_dev, dev, threshold)
    return best, accuracy(cosines(vectors, layer, test, standardize), test, best)
