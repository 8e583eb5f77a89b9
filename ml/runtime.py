"""The one place that reaches torch and the packaged backbone; web processes never import it."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from tokenizers import Tokenizer

from ml.backbones import MINILM, directory
from ml.releases import WeightsError

__all__ = ["DECODING", "WeightsError", "device", "encoder", "precision", "tokenizer", "trim", "use_threads"]

log = logging.getLogger(__name__)

ENCODING = (512, 384, 1_536)  # a batch of texts through MiniLM's widest layer
DECODING = (8, 576, 16_384)  # one token of a few drafts against a part of SmolLM2's vocabulary


def use_threads(count: int | None = None) -> int:
    """One thread a worker process unless ATTUNE_TORCH_THREADS says otherwise.

    Two threads that wait for each other on a busy core are slower than one.
    """
    threads = count or int(os.environ.get("ATTUNE_TORCH_THREADS", "1"))
    torch.set_num_threads(threads)
    return threads


use_threads()


def trim() -> None:
    """Give back to the system what loading has used and freed; glibc keeps it for itself otherwise."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def device(name: str = "auto") -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def encoder(backbone: str = MINILM) -> Any:
    """A fresh encoder: a packaged one by its name, or any local Hugging Face checkpoint by its path."""
    from transformers import AutoModel
    from transformers.utils import logging as hf_logging

    hf_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    hf_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    return AutoModel.from_pretrained(
        directory(backbone),
        local_files_only=True,
        dtype=torch.float32,
        add_pooling_layer=False,
        attention_probs_dropout_prob=0.0,  # its random numbers cost more than its sums on a CPU
    )


@cache
def tokenizer(backbone: str = MINILM) -> Tokenizer:
    found = Tokenizer.from_file(str(directory(backbone) / "tokenizer.json"))
    found.no_truncation()
    found.no_padding()
    return found


@cache
def precision(product: tuple[int, int, int] = ENCODING) -> torch.dtype:
    """bfloat16 where the CPU does this matrix product (rows, width, columns) faster in it, else float32.

    Measured once. A CPU without tile instructions may encode faster in float32 and decode faster in bfloat16: many rows
    wait for arithmetic, few rows for memory.
    """
    if not _has_bf16():
        return torch.float32
    fast, exact = _seconds(torch.bfloat16, product), _seconds(torch.float32, product)
    log.info("matrix product %s: bf16 %.2f ms, fp32 %.2f ms", product, 1000 * fast, 1000 * exact)
    return torch.bfloat16 if fast < exact else torch.float32


def _has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _seconds(dtype: torch.dtype, product: tuple[int, int, int]) -> float:
    """Best of five products."""
    rows, width, columns = product
    left, right = torch.ones(rows, width, dtype=dtype), torch.ones(columns, width, dtype=dtype)
    times = []
    for _ in range(6):
        start = time.perf_counter()
        left @ right.T
        times.append(time.perf_counter() - start)
    return min(times[1:])
