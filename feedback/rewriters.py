"""The rewriter a protocol names: one registered here, or a release from `ml.registry`.

Nothing heavy is imported before a rewriter is asked for, so web processes may import this.
"""

from __future__ import annotations

from collections.abc import Callable

from ml.types import Reviewed, Rewriter
from trial.protocol import FeedbackPolicy

Factory = Callable[[FeedbackPolicy], Rewriter]

_factories: dict[str, Factory] = {}


def register(name: str, factory: Factory) -> None:
    """Let protocols name a rewriter that does not come with `ml`."""
    _factories[name] = factory


def unregister(name: str) -> None:
    _factories.pop(name, None)


def rewriter_for(policy: FeedbackPolicy) -> Rewriter:
    """Raises KeyError for a name that nobody registered."""
    if policy.rewriter in _factories:
        return _factories[policy.rewriter](policy)
    return _from_registry(policy)


def _from_registry(policy: FeedbackPolicy) -> Rewriter:
    from ml import registry

    reviewed = tuple(
        Reviewed(one.post, tuple((said.mechanism, said.text) for said in one.sentences)) for one in policy.reviewed
    )
    return registry.rewriter(
        policy.rewriter, scorer=policy.scorer, gate=policy.gate, min_gain=policy.min_gain, reviewed=reviewed
    )
