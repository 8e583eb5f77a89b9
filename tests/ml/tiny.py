"""Checkpoints, networks and releases of a few thousand random weights, so that tests need no packaged model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WORDS = ["a", "b", "i", "you", "it", "is", "am", "so", "sorry", "why", "hope", "helps", ".", "?", "!", "post", "number"]
MARKS = {"bert": ("[CLS]", "[SEP]", "[PAD]", "[UNK]"), "roberta": ("<s>", "</s>", "<pad>", "<unk>")}


def checkpoint(path: Path, kind: str = "bert", *, layers: int = 2) -> str:
    """A Hugging Face checkpoint folder of this kind with its own tokenizer; returns its path."""
    import torch
    from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

    torch.manual_seed(1)
    start, end, pad, unknown = MARKS[kind]
    vocabulary = {word: place for place, word in enumerate([start, end, pad, unknown, *WORDS])}
    config, model = {"bert": (BertConfig, BertModel), "roberta": (RobertaConfig, RobertaModel)}[kind]
    shape = config(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=300,
        pad_token_id=vocabulary[pad],
        initializer_range=0.5,
    )
    model(shape).save_pretrained(path)
    _tokenizer(kind, vocabulary).save(str(path / "tokenizer.json"))
    return str(path)


def _tokenizer(kind: str, vocabulary: dict[str, int]) -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    start, end, _, unknown = MARKS[kind]
    found = Tokenizer(models.WordLevel(vocabulary, unk_token=unknown))
    found.normalizer = normalizers.Lowercase()
    found.pre_tokenizer = pre_tokenizers.Whitespace()
    second = f"$B:1 {end}:1" if kind == "bert" else f"{end} $B {end}"
    found.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} {second}",
        special_tokens=[(mark, vocabulary[mark]) for mark in (start, end)],
    )
    return found


def network(path: Path, kind: str = "bert", **changes: Any) -> Any:
    """A network with random heads and adapters that do something, ready to answer."""
    import torch

    from ml.epitome.architectures import build
    from ml.epitome.model import Config

    settings = {"backbone": checkpoint(path, kind), "rank": 2, "hidden": 8} | changes
    model = build(Config(**settings)).eval()
    with torch.no_grad():
        for name, value in model.trained().items():
            if name.endswith(".up"):
                value.normal_(std=0.3)
    return model


def release(root: Path, **changes: Any) -> Path:
    """A complete release "tiny" inside `root`; `changes` are made to its `release.json`. Returns its folder."""
    from ml.epitome.calibration import Calibration
    from ml.epitome.scorer import save

    folder = root / "epitome-tiny"
    model = network(root / "backbone")
    info = {
        "name": "tiny",
        "version": "1",
        "sha256": save(model, folder / "model.safetensors"),
        "base_sha256": "",
        "config": model.config.stored(),
        "calibration": Calibration().stored(),
    }
    (folder / "release.json").write_text(json.dumps(info | changes), encoding="utf-8")
    return folder
