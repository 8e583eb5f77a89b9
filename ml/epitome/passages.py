"""Which sentences of a reply carry a mechanism, from the network's mark of each token."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from ml.text import sentences

GAP = 2  # characters between two marked sentences that still make one passage


def passages(
    reply: str, marks: Sequence[float], offsets: Sequence[tuple[int, int]], threshold: float
) -> list[tuple[int, int]]:
    """The sentences that carry a mechanism, as character spans; the likeliest one where none passes.

    People marked sentences and clauses, so a sentence is judged by the mean over its tokens.
    """
    parts = sentences(reply)
    starts = [part.start for part in parts]
    tokens: dict[int, list[float]] = {}
    for mark, (start, _) in zip(marks, offsets, strict=True):
        tokens.setdefault(max(0, bisect_right(starts, start) - 1), []).append(_chance(mark))
    means = {index: sum(found) / len(found) for index, found in tokens.items() if index < len(parts)}
    if not means:
        return []
    chosen = [index for index in sorted(means) if means[index] > threshold]
    chosen = chosen or [max(means, key=means.__getitem__)]
    return _joined([(parts[index].start, parts[index].stop) for index in chosen])


def _chance(mark: float) -> float:
    return 1 / (1 + math.exp(-mark)) if mark > -500 else 0.0


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Neighbours with a space at most between them as one."""
    joined: list[tuple[int, int]] = []
    for start, stop in spans:
        if joined and start - joined[-1][1] <= GAP:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined
