"""Estimators: pure functions from a data frame to a frozen result, or a reason why there is none."""

from analysis.estimators.clustered import clustered_posts
from analysis.estimators.flow import FlowError, consort_flow
from analysis.estimators.means import ancova_means
from analysis.estimators.proportions import difference_in_proportions, one_proportion
from analysis.estimators.ratio import ratio_of_means
from analysis.estimators.subgroup import subgroup_interaction
from analysis.estimators.values import NotEstimableError

__all__ = [
    "FlowError",
    "NotEstimableError",
    "ancova_means",
    "clustered_posts",
    "consort_flow",
    "difference_in_proportions",
    "one_proportion",
    "ratio_of_means",
    "subgroup_interaction",
]
