"""The answers repstore gives, by the shortest obvious way: plain loops over Python floats (float64)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise, permutations
from math import fsum, nan, prod, sqrt

Vector = Sequence[float]
Rows = Sequence[Vector]
Pairs = Sequence[tuple[int, int, bool]]

GRID = [float(f"0.{hundredths:02}") for hundredths in range(0, 100, 5)]


def dot(a: Vector, b: Vector) -> float:
    return fsum(float(x) * float(y) for x, y in zip(a, b, strict=True))


def cosine(a: Vector, b: Vector) -> float:
    """0 with a zero vector, as repstore defines it."""
    scale = sqrt(dot(a, a)) * sqrt(dot(b, b))
    return dot(a, b) / scale if scale > 0 else 0.0


def mean_and_std(column: Sequence[float]) -> tuple[float, float]:
    """Bessel-corrected; the deviation of a single value is 0."""
    values = [float(value) for value in column]
    mean = fsum(values) / len(values)
    squares = fsum((value - mean) ** 2 for value in values)
    return mean, sqrt(squares / (len(values) - 1)) if len(values) > 1 else 0.0


def z_scores(rows: Rows, over: Rows) -> list[list[float]]:
    """`rows` standardized by the moments of `over`: (x - mean) / (std + 1e-6)."""
    moments = [mean_and_std(column) for column in zip(*over, strict=True)]
    return [
        [(float(value) - mean) / (std + 1e-6) for value, (mean, std) in zip(row, moments, strict=True)]
        for row in rows
    ]


def pair_similarities(
    vectors: Rows, pairs: Pairs, standardize: str, second: Rows | None = None
) -> list[float]:
    """Cosine of each pair of rows, standardized as Liu et al. 2024 and their code do.

    The second words are rows of `second`, if given.
    """
    others = vectors if second is None else second
    firsts, seconds = [vectors[a] for a, _, _ in pairs], [others[b] for _, b, _ in pairs]
    if standardize == "corpus":
        firsts, seconds = z_scores(firsts, vectors), z_scores(seconds, others)
    elif standardize == "side":
        firsts, seconds = z_scores(firsts, firsts), z_scores(seconds, seconds)
    elif standardize == "batch30":
        firsts, seconds = (
            [row for start in range(0, len(side), 30) for row in z_scores(*[side[start : start + 30]] * 2)]
            for side in (firsts, seconds)
        )
    return [cosine(a, b) for a, b in zip(firsts, seconds, strict=True)]


def n_correct(cosines: Sequence[float], same: Sequence[bool], threshold: float) -> int:
    return sum((cosine > threshold) == label for cosine, label in zip(cosines, same, strict=True))


def first_best_threshold(cosines: Sequence[float], same: Sequence[bool]) -> float:
    best = GRID[0]
    for threshold in GRID:
        if n_correct(cosines, same, threshold) > n_correct(cosines, same, best):
            best = threshold
    return best


def rounded(cosines: Iterable[float]) -> list[float]:
    """To the six decimals at which cosines are told apart."""
    return [round(float(cosine) * 1e6) / 1e6 for cosine in cosines]


def every_threshold(cosines: Sequence[float]) -> list[float]:
    """One below all cosines, one in the middle between any two that differ, one above all; ascending."""
    values = sorted(set(cosines))
    between = [(low + high) / 2 for low, high in pairwise(values)]
    return [values[0] - 1e-6, *between, values[-1] + 1e-6]


def most_correct(cosines: Sequence[float], same: Sequence[bool]) -> tuple[int, list[float]]:
    """The most right answers that any threshold gives, and the thresholds that give them."""
    thresholds = every_threshold(cosines)
    counts = [n_correct(cosines, same, threshold) for threshold in thresholds]
    best = max(counts)
    return best, [threshold for threshold, n in zip(thresholds, counts, strict=True) if n == best]


def auc(cosines: Sequence[float], same: Sequence[bool]) -> float:
    """By comparing every pair of the same sense with every one of different senses. NaN without either."""
    alike = [cosine for cosine, label in zip(cosines, same, strict=True) if label]
    different = [cosine for cosine, label in zip(cosines, same, strict=True) if not label]
    wins = sum((a > b) + (a == b) / 2 for a in alike for b in different)
    return wins / (len(alike) * len(different)) if alike and different else nan


def ranks(values: Sequence[float]) -> list[float]:
    """Mean rank among the values: how many are smaller, and half of those that are equal."""
    return [
        sum(other < value for other in values) + sum(other == value for other in values) / 2
        for value in values
    ]


def correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Pearson's. NaN if all values of either are equal."""
    if len(set(x)) == 1 or len(set(y)) == 1:
        return nan
    (mean_x, std_x), (mean_y, std_y) = mean_and_std(x), mean_and_std(y)
    products = fsum((float(a) - mean_x) * (float(b) - mean_y) for a, b in zip(x, y, strict=True))
    return products / ((len(x) - 1) * std_x * std_y)


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Spearman's. NaN if all values of either are equal."""
    return correlation(ranks(x), ranks(y))


def percentile(values: Sequence[float], share: float) -> float:
    """Between the two values beside it, in proportion. NaN are left out; NaN if nothing else is there."""
    valid = sorted(value for value in map(float, values) if value == value)
    if not valid:
        return nan
    place = share * (len(valid) - 1)
    below = int(place)
    above = min(below + 1, len(valid) - 1)
    return valid[below] + (place - below) * (valid[above] - valid[below])


def wic(vectors: Rows, selection: Pairs, evaluation: Pairs, standardize: str) -> tuple[float, float]:
    """The Word-in-Context procedure at one layer: the threshold chosen, and the accuracy with it."""
    chosen_on, scored_on = (
        (pair_similarities(vectors, pairs, standardize), [same for _, _, same in pairs])
        for pairs in (selection, evaluation)
    )
    threshold = first_best_threshold(*chosen_on)
    return threshold, n_correct(*scored_on, threshold) / len(evaluation)


def wic_exact(vectors: Rows, selection: Pairs, evaluation: Pairs, standardize: str) -> tuple[float, float]:
    """The same with the lowest of the best of all thresholds."""
    chosen_on, scored_on = (
        (rounded(pair_similarities(vectors, pairs, standardize)), [same for _, _, same in pairs])
        for pairs in (selection, evaluation)
    )
    _, (threshold, *_) = most_correct(*chosen_on)
    return threshold, n_correct(*scored_on, threshold) / len(evaluation)


def nearest(vectors: Rows, query: Vector, k: int, exclude: Iterable[int] = ()) -> list[tuple[int, float]]:
    """Rows and cosines of the k nearest; equal cosines in the order of the rows."""
    left_out = set(exclude)
    cosines = {row: cosine(query, vector) for row, vector in enumerate(vectors) if row not in left_out}
    return sorted(cosines.items(), key=lambda found: (-found[1], found[0]))[:k]


def gram(rows: Rows) -> list[list[float]]:
    return [[dot(a, b) for b in rows] for a in rows]


def unbiased_hsic(k: Rows, l: Rows) -> float:  # noqa: E741  # the names of the paper
    """Song et al. 2012, equation 5, of two n x n Gram matrices."""
    n = len(k)
    k, l = ([[0.0 if i == j else m[i][j] for j in range(n)] for i in range(n)] for m in (k, l))  # noqa: E741
    trace = fsum(k[i][j] * l[j][i] for i in range(n) for j in range(n))
    sums_k, sums_l = [fsum(row) for row in k], [fsum(row) for row in l]
    totals = fsum(sums_k) * fsum(sums_l) / ((n - 1) * (n - 2))
    return (trace + totals - 2 / (n - 2) * dot(sums_k, sums_l)) / (n * (n - 3))


def unbiased_hsic_by_tuples(k: Rows, l: Rows) -> float:  # noqa: E741
    """The same as a U-statistic: means over all tuples of different words. Bearable up to n = 12."""
    n = len(k)

    def mean(terms: Iterable[float], length: int) -> float:
        return fsum(terms) / prod(range(n - length + 1, n + 1))

    pairs = mean((k[i][j] * l[i][j] for i, j in permutations(range(n), 2)), 2)
    triples = mean((k[i][j] * l[i][q] for i, j, q in permutations(range(n), 3)), 3)
    quadruples = mean((k[i][j] * l[q][r] for i, j, q, r in permutations(range(n), 4)), 4)
    return pairs + quadruples - 2 * triples


def cka(a: Rows, b: Rows) -> float:
    """Unbiased linear CKA of two layers."""
    k, l = gram(a), gram(b)  # noqa: E741
    return unbiased_hsic(k, l) / sqrt(unbiased_hsic(k, k) * unbiased_hsic(l, l))
