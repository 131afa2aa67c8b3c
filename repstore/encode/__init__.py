"""Words to word vectors. The only room that knows torch and transformers."""

from __future__ import annotations

from importlib.util import find_spec

from repstore.errors import MissingExtraError


def require_encode() -> None:
    """Refuse to go on without what runs a model.

    Raises:
        MissingExtraError: torch or transformers is not installed.
    """
    for package in ("torch", "transformers"):
        if find_spec(package) is None:
            raise MissingExtraError(
                f"This runs a model and needs {package}. Install it with: pip install 'repstore[encode]'"
            )
