"""The trained rewriter on disk: policy, reader and coherence classifier, verified at load."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
COHERENCE_FILE = "coherence.safetensors"


def save(
    policy: Policy, reader: Reader, judge: coherence.Coherence, out: Path, details: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the trained parts in half precision, and `release.json`; returns what that says."""
    out.mkdir(parents=True, exist_ok=True)
    save_file({name: value.detach().half() for name, value in policy.trained().items()}, out / POLICY_FILE)
    coherence.save(judge, out / COHERENCE_FILE)
    for file in (POLICY_FILE, COHERENCE_FILE):
        (out / file).chmod(0o644)
    info = {
        "name": NAME,
        "version": datetime.now(UTC).strftime("%Y.%m.%d"),
        "sha256": sha256_of(out / POLICY_FILE),
        "base": smollm.FOLDER,
        "base_sha256": smollm.GGUF_SHA256,
        "config": policy.config.stored(),
        "reader": reader.stored(),
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
        values = load_tensors(verified(directory / POLICY_FILE, info["sha256"]).read_bytes())
        policy, tokens = read_policy(values, config)
        reader = Reader({str(name): float(weight) for name, weight in info["reader"].items()})
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, SafetensorError) as error:
        raise WeightsError(f"{directory.name} is not a readable release: {error}") from error
    return policy, tokens, reader, Release(info["name"], info["version"], info["sha256"])


def read_policy(values: Mapping[str, torch.Tensor] | None, config: PolicyConfig) -> tuple[Policy, Tokens]:
    """Trained values put into the base; without any, the untrained base in the same clothes."""
    from ml.partner.training import load_base

    model, tokens = load_base(torch.device("cpu"))
    policy = Policy(model, config)
    if values is not None:
        policy.load_trained({name: value.float() for name, value in values.items()})
    lora.merge(policy.model)
    policy.model.to(runtime.precision(runtime.DECODING))
    return policy.eval(), tokens
