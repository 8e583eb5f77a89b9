"""The simulated trial of 300 people and 10 posts whose analysis by lme4 and sandwich in R is known.

Drawing order and seed must stay as they are: the expected numbers belong to these very draws.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

ARMS = ("A", "B")


def replica(n: int = 300, k: int = 10, effect: float = 0.29, seed: int = 20240501) -> pd.DataFrame:
    """Replies: participant, post, arm, challenging, score."""
    r = np.random.default_rng(seed)
    pid, post = np.repeat(np.arange(n), k), np.tile(np.arange(k), n)
    arm_of = r.permutation(np.repeat([0, 1], n // 2))
    arm = arm_of[pid]
    challenging = r.binomial(1, 0.33, n)[pid]
    r.integers(0, 4, n)
    person, item, slope = r.normal(0, 0.55, n), r.normal(0, 0.30, k), r.normal(0, 0.15, k)
    r.normal(0, 0.6, n)
    score = (
        1.5 - 0.35 * challenging + (effect + 0.25 * challenging) * arm
        + person[pid] + item[post] + slope[post] * arm + r.normal(0, 0.95, n * k)
    )  # fmt: skip
    return pd.DataFrame(
        {
            "participant": pid.astype(str),
            "post": post,
            "arm": np.where(arm == 1, "B", "A"),
            "challenging": challenging == 1,
            "score": score,
        }
    )


def null_trial(
    r: np.random.Generator, n: int, k: int, posts: int, *, effect: float = 0.0, spread: float = 0.3
) -> pd.DataFrame:
    """A trial in which everybody answers `k` of `posts` posts drawn at random."""
    arm = r.permutation(np.repeat([0, 1], n // 2))
    item, person = r.normal(0, spread, posts), r.normal(0, 0.55, n)
    post = r.random((n, posts)).argsort(axis=1)[:, :k]
    score = 1.5 + effect * arm[:, None] + person[:, None] + item[post] + r.normal(0, 0.95, (n, k))
    return pd.DataFrame(
        {
            "participant": np.repeat(np.arange(n), k).astype(str),
            "post": post.ravel(),
            "arm": np.where(np.repeat(arm, k) == 1, "B", "A"),
            "score": score.ravel(),
        }
    )


def people_of(replies: pd.DataFrame, means: pd.Series) -> pd.DataFrame:
    people = replies.drop_duplicates("participant").set_index("participant")
    return people.assign(y=means).reset_index()
