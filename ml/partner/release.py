"""The trained rewriter on disk: policy, reader and coherence classifier, verified at load."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file

from ml import lora, runtime
from ml.partner import coherence, smollm
from ml.partner.policy import Policy, PolicyConfig, Tokens
from ml.partner.reader import Reader
from ml.releases import WeightsError, described, folder, manifest, sha256_of, verified
from ml.types import Release

NAME = "partner"
POLICY_FILE = "policy.safetensors"
READER_FILE = "reader.safetensors"
COHERENCE_FILE = "coherence.safetensors"


def save(
    policy: Policy, reader: Reader, judge: coherence.Coherence, out: Path, details: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the trained parts in half precision, and `release.json`; returns what that says."""
    out.mkdir(parents=True, exist_ok=True)
    for part, file in ((policy, POLICY_FILE), (reader, READER_FILE)):
        save_file({name: value.detach().half() for name, value in part.trained().items()}, out / file)
    coherence.save(judge, out / COHERENCE_FILE)
    for file in (POLICY_FILE, READER_FILE, COHERENCE_FILE):
        (out / file).chmod(0o644)
    info = {
        "name": NAME,
        "version": datetime.now(UTC).strftime("%Y.%m.%d"),
        "sha256": sha256_of(out / POLICY_FILE),
        "base": smollm.FOLDER,
        "base_sha256": smollm.GGUF_SHA256,
        "config": policy.config.stored(),
        "reader": {"sha256": sha256_of(out / READER_FILE)},
        "coherence": {"sha256": sha256_of(out / COHERENCE_FILE)},
        **details,
    }
    (out / "release.json").write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
    described.cache_clear()
    return info


def load(name: str = NAME, *, root: Path | None = None) -> tuple[Policy, Tokens, Reader, Release]:
    """Policy and reader ready to serve: adapters folded in, in the precision that this machine multiplies fastest.

    Raises WeightsError where anything is not as it was released, UnknownReleaseError where nothing is.
    """
    directory = folder(name, root=root)
    info = manifest(directory)
    try:
        config = PolicyConfig(**info["config"])
        if info["base_sha256"] != smollm.GGUF_SHA256:
            raise WeightsError(f"{directory.name} was trained on another language model")
        policy, tokens = read_policy(_values(directory / POLICY_FILE, info["sha256"]), config)
        reader = read_reader(_values(directory / READER_FILE, info["reader"]["sha256"]))
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise WeightsError(f"{directory.name} is not a readable release: {error}") from error
    return policy, tokens, reader, Release(info["name"], info["version"], info["sha256"])


def _values(path: Path, sha256: str) -> Mapping[str, torch.Tensor]:
    return load_tensors(verified(path, sha256).read_bytes())


def read_policy(values: Mapping[str, torch.Tensor] | None, config: PolicyConfig) -> tuple[Policy, Tokens]:
    """Trained values put into the base; without any, the untrained base in the same clothes."""
    from ml.partner.training import load_base

    model, tokens = load_base(torch.device("cpu"))
    return served(Policy(model, config), values), tokens


def read_reader(values: Mapping[str, torch.Tensor]) -> Reader:
    from ml.partner.training import load_base

    model, _ = load_base(torch.device("cpu"))
    return served(Reader(model), values)


P = TypeVar("P", Policy, Reader)


def served(part: P, values: Mapping[str, torch.Tensor] | None) -> P:
    """`part` with its trained values, adapters folded in."""
    if values is not None:
        part.load_trained({name: value.float() for name, value in values.items()})
    lora.merge(part.model)
    part.model.to(runtime.precision())
    return part.eval()
