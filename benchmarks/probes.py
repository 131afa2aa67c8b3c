"""Linear probes of layers against a plain loop of scikit-learn, and their memory.

The loop loads a layer from ``.npy`` as float16, makes it float32, and for each seed standardizes it by the
training words and fits a LogisticRegression under each penalty; the one with the least log loss on the
selection words is scored on the test words. It does so anew for each penalty, as loops do, or starts each
from the last (``warm_start``, the strongest penalty first). repstore has the same files, splits, penalties
and choices; that both are equally accurate is checked.

One layer is done at a time and BLAS has one thread, on both sides: the loop would give its threads to the
products, and repstore a layer to each. With two layers and all processors both are measured so, too.

At full size 3 layers x 20,000 words x 576 dimensions x 5 seeds, of 12 classes, are a round each; every layer
more takes as long as each of these, so 31 take 10 times as much on either side and the ratio is the same.
Control tasks, whose classes are drawn at random, take more iterations; their ratio is of one seed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median

import numpy as np
from lifelike import draw
from report import Figure, main, ratio, side_by_side
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from repstore.analysis.inputs import WordInputs
from repstore.analysis.learned import Problem
from repstore.analysis.logistic import PENALTIES, bytes_to_fit, logistic
from repstore.analysis.scan import n_processors
from repstore.storage.vectors import LayerVectors

SIGNALS = (0.02, 0.04, 0.06)
"""How far the classes are apart in a layer, relative to how far words are."""

AGREE = 0.002
"""How far the mean accuracy of the loop may be from ours."""


CHILD = """
import sys
from pathlib import Path
import numpy as np
from anonymous import most_taken
from probes import inputs_of, problem_of, Size
from repstore.analysis.logistic import logistic

file, n_classes, memory = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
inputs, targets = inputs_of(file), np.load(file.with_name("targets.npy"))
problem = problem_of(targets, 0, Size(len(targets), inputs.width, 1, 1, n_classes))
few = problem_of(targets[:50] % 2, 0, Size(50, inputs.width, 1, 1, 2))
logistic(inputs, [few])  # libraries take their buffers once
print(most_taken(lambda: logistic(inputs, [problem], memory=memory)))
"""


@dataclass(frozen=True)
class Size:
    """How much there is to fit."""

    n_words: int
    d_model: int
    n_layers: int
    n_seeds: int
    n_classes: int


FULL, QUICK = Size(20_000, 576, 3, 5, 12), Size(6_000, 256, 3, 2, 8)


@dataclass(frozen=True)
class Outcome:
    """Accuracy on the test words and the chosen penalty of each problem, and iterations of all penalties."""

    accuracies: list[float]
    penalties: list[float]
    n_iterations: int


def measure(options: argparse.Namespace) -> list[Figure]:
    """All figures."""
    size = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory(prefix="repstore-benchmark-") as folder:
        classes = draw_classes(size)
        files = write_layers(Path(folder), size, classes)
        problems = [problem_of(classes, seed, size) for seed in range(size.n_seeds)]
        control = [control_of(problems[0])]
        return [
            *against_loops("linear probe", files, problems),
            *against_loops("linear probe, control task", files[:1], control),
            *on_all_processors(files[:2], problems[:1]),
            *peak_memory(files[0], problems[0]),
        ]


def draw_classes(size: Size) -> np.ndarray:
    """Unequally frequent. *Shape:* (n_words,), int64."""
    weights = 1 / (np.arange(size.n_classes) + 2)
    return np.random.default_rng(1).choice(size.n_classes, size.n_words, p=weights / weights.sum())


def write_layers(folder: Path, size: Size, classes: np.ndarray) -> list[Path]:
    """Lifelike vectors; classes show more in later layers. Two dimensions are far larger than others."""
    base = draw(size.n_words, size.d_model).vectors.astype(np.float32)
    deviations = base.std(axis=0)
    files = []
    for layer in range(size.n_layers):
        random = np.random.default_rng([2, layer])
        centers = random.standard_normal((size.n_classes, size.d_model), np.float32) * deviations
        rows = random.permutation(base) + np.float32(SIGNALS[layer]) * centers[classes]
        rows[:, random.choice(size.d_model, 2, replace=False)] *= (300, 60)
        files.append(folder / f"layer-{layer}.npy")
        np.save(files[-1], rows.astype(np.float16))
    return files


def problem_of(classes: np.ndarray, seed: int, size: Size) -> Problem:
    """60 % of the words train, 20 % select, 20 % test."""
    shuffled = np.random.default_rng([3, seed]).permutation(len(classes))
    parts = np.split(shuffled, [len(classes) * 6 // 10, len(classes) * 8 // 10])
    return Problem(classes, size.n_classes, *(np.sort(part) for part in parts), seed=seed)


def control_of(problem: Problem) -> Problem:
    """The same split, the classes dealt out at random."""
    return replace(problem, targets=np.random.default_rng(4).permutation(problem.targets))


def against_loops(name: str, files: Sequence[Path], problems: Sequence[Problem]) -> list[Figure]:
    """Time of ours over that of both loops, a layer a round, and the same accuracy."""
    outcomes: dict[str, list[Outcome]] = {"loop": [], "warm": [], "ours": []}

    def contestant(kind: str, fit: Callable[[Path], Outcome]) -> Callable[[], None]:
        # Nothing is there to warm up but libraries: a few words do, and no layer is fitted for nothing.
        waiting = iter([None, *files])

        def run() -> None:
            file = next(waiting)
            if file is None:
                warm_up()
                return
            outcomes[kind].append(fit(file))

        return run

    with threadpool_limits(1):
        seconds = side_by_side(
            {
                "loop": contestant("loop", lambda file: by_loop(file, problems, warm=False)),
                "warm": contestant("warm", lambda file: by_loop(file, problems, warm=True)),
                "ours": contestant("ours", lambda file: by_repstore(file, problems)),
            },
            len(files),
        )
    n_fits = len(files) * len(problems) * len(PENALTIES)
    n_passes = [sum(one.n_iterations for one in outcomes[kind]) for kind in outcomes]
    return [
        Figure(f"{name}: plain loop, a layer", median(seconds["loop"]), "s"),
        Figure(f"{name}: repstore, a layer", median(seconds["ours"]), "s"),
        Figure(
            f"{name}: repstore / plain loop", ratio(seconds["ours"], seconds["loop"]), "times", at_most=0.5
        ),
        *(
            Figure(f"{name}: the same where classes show {signal:g}", ours / loop, "times")
            for signal, ours, loop in zip(SIGNALS, seconds["ours"], seconds["loop"], strict=False)
            if len(files) > 1
        ),
        Figure(f"{name}: repstore / loop with warm starts", ratio(seconds["ours"], seconds["warm"]), "times"),
        Figure(f"{name}: plain loop, iterations per fit", n_passes[0] / n_fits, "passes"),
        Figure(
            f"{name}: repstore, passes for all penalties", n_passes[2] * len(PENALTIES) / n_fits, "passes"
        ),
        *agreement(name, outcomes),
    ]


def agreement(name: str, outcomes: dict[str, list[Outcome]]) -> list[Figure]:
    """Accuracies, which have to agree, and how often the same penalty was chosen."""
    loop, ours = ([hit for one in outcomes[kind] for hit in one.accuracies] for kind in ("loop", "ours"))
    apart = abs(mean(loop) - mean(ours))
    assert apart <= AGREE, f"accuracies differ: {mean(loop)} and {mean(ours)}"
    chosen = [[penalty for one in outcomes[kind] for penalty in one.penalties] for kind in ("loop", "ours")]
    return [
        Figure(f"{name}: accuracy of repstore", mean(ours), ""),
        Figure(f"{name}: mean accuracy, apart from plain loop", apart, "", at_most=AGREE),
        Figure(
            f"{name}: the same penalty chosen",
            mean(float(a == b) for a, b in zip(*chosen, strict=True)),
            "of problems",
        ),
    ]


def by_loop(file: Path, problems: Sequence[Problem], *, warm: bool) -> Outcome:
    """What one writes who has layers in files."""
    layer = np.load(file).astype(np.float32)
    accuracies, chosen, n_iterations = [], [], 0
    for problem in problems:
        rows = StandardScaler().fit(layer[problem.train]).transform(layer)
        train, select, test = (rows[part] for part in (problem.train, problem.select, problem.test))
        model, best = LogisticRegression(max_iter=2_000, warm_start=warm), (np.inf, 0.0, 0.0)
        for penalty in sorted(PENALTIES, reverse=True):
            model.set_params(C=1 / (penalty * len(train)))
            model.fit(train, problem.targets[problem.train])
            n_iterations += int(model.n_iter_[0])
            loss = log_loss(problem.targets[problem.select], model.predict_proba(select))
            if loss < best[0]:
                best = (loss, float(model.score(test, problem.targets[problem.test])), penalty)
        accuracies.append(best[1])
        chosen.append(best[2])
    return Outcome(accuracies, chosen, n_iterations)


def by_repstore(file: Path, problems: Sequence[Problem]) -> Outcome:
    """The same by the learner ``linear``."""
    n_passes = 0

    def count() -> None:
        nonlocal n_passes
        n_passes += 1

    learned = logistic(inputs_of(file), problems, progress=count)
    hits = [
        float((one.logits.argmax(axis=1) == of.targets[of.test]).mean())
        for one, of in zip(learned, problems, strict=True)
    ]
    return Outcome(hits, [one.setting for one in learned], n_passes)


def inputs_of(file: Path) -> WordInputs:
    """All words of a layer, mapped."""
    values = np.load(file, mmap_mode="r")
    return WordInputs(LayerVectors(0, np.arange(len(values)), (values,)), np.arange(len(values)))


def warm_up() -> None:
    """Load what both sides use."""
    values = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float16)
    with tempfile.TemporaryDirectory(prefix="repstore-benchmark-") as folder:
        file = Path(folder) / "few.npy"
        np.save(file, values)
        few = problem_of(np.arange(60) % 2, 0, Size(60, 4, 1, 1, 2))
        by_loop(file, [few], warm=False)
        by_repstore(file, [few])


def on_all_processors(files: Sequence[Path], problems: Sequence[Problem]) -> list[Figure]:
    """Two layers: the loop leaves its threads to BLAS, repstore gives each layer one."""

    def loop() -> None:
        for file in files:
            by_loop(file, problems, warm=False)

    def ours() -> None:
        with ThreadPoolExecutor(len(files)) as pool:
            list(pool.map(lambda file: by_repstore(file, problems), files))

    n = n_processors()
    with threadpool_limits(n):
        times = [seconds_of(contestant) for contestant in (loop, ours)]
    name = f"linear probe, {len(files)} layers on {n} processors: repstore / plain loop"
    return [Figure(name, times[1] / times[0], "times", at_most=0.5)]


def seconds_of(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def peak_memory(file: Path, problem: Problem) -> list[Figure]:
    """The most that is taken, over what is allowed, which is the least: training words are read at each pass.

    In a process of its own, in which no memory is left over from before.
    """
    inputs = inputs_of(file)
    budget = bytes_to_fit(inputs, problem)
    beside = 4 * len(problem.train) * inputs.width
    np.save(file.with_name("targets.npy"), problem.targets)
    command = [sys.executable, "-c", CHILD, str(file), str(problem.n_classes), str(budget)]
    here = Path(__file__).parent
    taken = subprocess.run(command, check=True, capture_output=True, text=True, cwd=here).stdout
    name = f"peak memory / {budget >> 20} MiB allowed, {beside >> 20} MiB of training words beside"
    return [Figure(name, int(taken) / budget, "times", at_most=1)]


if __name__ == "__main__":
    main("Linear probes", measure)
