"""The search for a batch size, on devices that are made up."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import assume, example, given
from hypothesis import strategies as st

from repstore.encode.budget import GROWTH, find_budget


@dataclass
class Device:
    """Takes `overhead` seconds for a pass and `per_token` for a token beyond those it computes in parallel.

    Keeps the sizes that it was asked for.
    """

    n_fit: int
    n_parallel: int
    overhead: float = 0.01
    per_token: float = 1e-5
    asked: list[int] = field(default_factory=list)

    def __call__(self, n_tokens: int) -> float | None:
        self.asked.append(n_tokens)
        if n_tokens > self.n_fit:
            return None
        return self.overhead + self.per_token * max(n_tokens, self.n_parallel)


devices = st.builds(
    Device,
    n_fit=st.integers(0, 1 << 19),
    n_parallel=st.integers(1, 1 << 19),
    overhead=st.floats(1e-6, 1.0),
    per_token=st.floats(1e-9, 1e-2),
)
sizes = st.integers(1, 5000)


@given(devices, sizes, st.integers(1, 1 << 18))
def test_what_is_chosen_was_tried_and_fitted(device, smallest, most):
    chosen = find_budget(smallest, device, most)
    if smallest > device.n_fit:
        assert chosen is None
    else:
        assert chosen in device.asked
        assert chosen <= device.n_fit
        assert chosen <= max(smallest, most)


@given(devices, sizes)
def test_sizes_are_doubled_and_nothing_is_tried_after_a_failure(device, smallest):
    find_budget(smallest, device)
    assert device.asked == [smallest << n for n in range(len(device.asked))]
    assert all(size <= device.n_fit for size in device.asked[:-1])


@given(devices, sizes)
def test_every_doubling_up_to_the_choice_was_worth_it_and_the_next_is_not(device, smallest):
    chosen = find_budget(smallest, device)
    assume(chosen is not None)
    rates = {size: size / device(size) for size in [*device.asked] if size <= chosen}
    for size in rates:
        assert 2 * size not in rates or rates[2 * size] >= GROWTH * rates[size] * (1 - 1e-9)
    following = device(2 * chosen)
    if following is not None and 4 * chosen <= 1 << 19:
        assert 2 * chosen / following <= GROWTH * rates[chosen] * (1 + 1e-9)


@given(devices, sizes, st.integers(0, 1 << 19))
@example(Device(n_fit=5000, n_parallel=1 << 19), 1000, 100_000)
def test_more_memory_never_leads_to_a_smaller_choice(device, smallest, more):
    larger = Device(device.n_fit + more, device.n_parallel, device.overhead, device.per_token)
    assert (find_budget(smallest, larger) or 0) >= (find_budget(smallest, device) or 0)


def test_a_device_that_is_never_busy_is_not_tried_for_ever():
    device = Device(n_fit=1 << 60, n_parallel=1 << 60)
    assert find_budget(20, device, most=10_000) == 20 << 8
    assert max(device.asked) <= 10_000
