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

__all__ = ["WeightsError", "device", "encoder", "precision", "tokenizer", "trim", "use_threads"]

log = logging.getLogger(__name__)


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
def precision(wanted: str = "auto") -> torch.dtype:
    """bfloat16 where the CPU multiplies it faster, else float32; measured once, some milliseconds."""
    if wanted == "fp32" or not _has_bf16():
        return torch.float32
    fast, exact = _seconds(torch.bfloat16), _seconds(torch.float32)
    log.info("matrix product: bf16 %.2f ms, fp32 %.2f ms", 1000 * fast, 1000 * exact)
    return torch.bfloat16 if fast < exact else torch.float32


def _has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _seconds(dtype: torch.dtype) -> float:
    """Best of five products of the shape of MiniLM's widest layer."""
    left, right = torch.ones(512, 384, dtype=dtype), torch.ones(384, 1536, dtype=dtype)
    times = []
    for _ in range(6):
        start = time.perf_counter()
        left @ right
        times.append(time.perf_counter() - start)
    return min(times[1:])
