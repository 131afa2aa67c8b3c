"""What is learned by gradients, on a CPU: the only room beside `encode` that knows torch.

Without torch nothing of it can be imported, and the error says what to install.
"""

from __future__ import annotations

from importlib.util import find_spec

from repstore.errors import MissingExtraError

if find_spec("torch") is None:
    raise MissingExtraError(
        "This is learned by gradients and needs torch. Install it with: pip install 'repstore[train]'"
    )
