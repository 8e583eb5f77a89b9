"""`python -m ml.partner.corpus [FILE.jsonl ...]`: what is wrong with the corpus, line by line."""

from __future__ import annotations

import sys
from pathlib import Path

from ml.partner import corpus

found, wrong = corpus.read([Path(name) for name in sys.argv[1:]] or corpus.files())
sys.stdout.write("\n".join([*wrong, f"{len(found)} lessons, {len(wrong)} problems", ""]))
sys.exit(bool(wrong))
