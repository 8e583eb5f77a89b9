"""One spelling for every value that is hashed, so that a hash can be recomputed anywhere.

JSON with sorted keys, no spaces and plain UTF-8; moments in UTC with microseconds.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any


def canonical_json(value: Any) -> str:
    """Raises ValueError for a number that is not finite."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def moment(at: datetime) -> str:
    """Raises ValueError for a naive datetime, whose moment nobody can tell."""
    if at.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")
