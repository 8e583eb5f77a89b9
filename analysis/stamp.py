"""Which code made a report: the version, and a hash over the sources of the analysis."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from django.conf import settings

SOURCES = Path(__file__).resolve().parent


@lru_cache(maxsize=1)
def code_version() -> str:
    """Like 0.1.0+1a2b3c4d5e6f: the same sources give the same text, with or without git."""
    digest = hashlib.sha256()
    for file in sorted(SOURCES.rglob("*.py")):
        digest.update(file.relative_to(SOURCES).as_posix().encode() + b"\0" + file.read_bytes())
    return f"{settings.VERSION}+{digest.hexdigest()[:12]}"
