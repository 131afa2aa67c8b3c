"""What a model can run on here."""

from __future__ import annotations


def accelerators() -> list[tuple[str, str]]:
    """The devices beside the processor, as ``--device`` takes them, each with what it is. Loads torch."""
    import torch

    found = []
    for n in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(n)
        found.append((f"cuda:{n}", f"{properties.name}, {properties.total_memory / 1e9:.1f} GB"))
    if torch.backends.mps.is_available():
        found.append(("mps", "the GPU of this Mac"))
    return found
