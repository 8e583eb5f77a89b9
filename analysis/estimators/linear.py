"""Ordinary least squares with robust errors: the design of a two-arm model, its fit, its contrasts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import statsmodels.api as sm
from scipy import stats

from analysis.estimators.values import Arms, Effect, NotEstimableError

Array = npt.NDArray[np.float64]
LEVERAGE_LIMIT = 1 - 1e-8
RANK_LIMIT = 1e-10


@dataclass(frozen=True)
class Fit:
    """Coefficients by name, their covariance, and the degrees of freedom of the t tests."""

    names: tuple[str, ...]
    coefficients: Array
    covariance: Array
    df: float

    def contrast(self, weights: Mapping[str, float], *, level: float) -> Effect:
        """A weighted sum of coefficients, tested against 0."""
        vector = np.array([weights.get(name, 0.0) for name in self.names])
        estimate = float(vector @ self.coefficients)
        se = float(np.sqrt(max(0.0, vector @ self.covariance @ vector)))
        if not se > 1e-12:
            raise NotEstimableError("Everybody has the same value, so there is no variation to judge a difference by.")
        half = float(stats.t.ppf((1 + level) / 2, self.df)) * se
        p = float(2 * stats.t.sf(abs(estimate / se), self.df))
        return Effect(estimate, estimate - half, estimate + half, se=se, p=p, df=self.df)


def require_both_arms(frame: pd.DataFrame, arms: Arms, *, minimum: int) -> None:
    """Raises NotEstimableError when an arm has too few participants."""
    for arm in arms:
        n = int((frame["arm"] == arm).sum())
        if n < minimum:
            raise NotEstimableError(
                f"Too few participants in arm {arm}: {n} with data, and the plan asks for at least {minimum}."
            )


def covariate_columns(frame: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Centred numbers and centred indicators of categories, without gaps or redundant columns.

    A missing baseline value is replaced by the mean, or is a category of its own: baseline was
    measured before allocation, so this biases nothing and keeps everybody in.
    """
    columns: dict[str, pd.Series] = {}
    notes: list[str] = []
    for name in names:
        values = frame[name]
        if pd.api.types.is_numeric_dtype(values):
            if gaps := int(values.isna().sum()):
                notes.append(f"{name}: {gaps} missing baseline value(s) replaced by the mean.")
            columns[name] = values.astype(float).fillna(float(values.mean()))
        else:
            columns |= _indicators(name, values.astype(object).where(values.notna(), "missing"))
    return _independent(pd.DataFrame(columns, index=frame.index), notes)


def _indicators(name: str, values: pd.Series) -> dict[str, pd.Series]:
    levels = sorted(values.unique(), key=str)
    return {f"{name}={level}": (values == level).astype(float) for level in levels[1:]}


def _independent(columns: pd.DataFrame, notes: list[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Drop what one participant alone or no variation carries, and what other columns already say."""
    kept: dict[str, pd.Series] = {}
    for name, values in columns.items():
        centred = values - values.mean()
        alone = set(values.unique()) <= {0.0, 1.0} and min(values.sum(), (1 - values).sum()) < 2
        basis = np.column_stack([np.ones(len(values)), *kept.values(), centred])
        if not np.isfinite(values).all() or alone or not _full_rank(basis):
            notes.append(f"Not adjusted for {name}: too little variation in these data.")
            continue
        kept[str(name)] = centred
    return pd.DataFrame(kept, index=columns.index), tuple(notes)


def fit_hc2(y: pd.Series, design: pd.DataFrame) -> Fit:
    """OLS with HC2 covariance and n - p degrees of freedom (MacKinnon and White 1985).

    Raises:
        NotEstimableError: no degrees of freedom are left, or one participant decides a coefficient.
    """
    matrix = design.to_numpy(dtype=float)
    df = len(y) - matrix.shape[1]
    if df < 1 or not _full_rank(matrix):
        raise NotEstimableError("Too few participants for the covariates of the plan.")
    leverage = np.einsum("ij,ij->i", matrix, matrix @ np.linalg.inv(matrix.T @ matrix))
    if leverage.max() > LEVERAGE_LIMIT:
        raise NotEstimableError("A single participant decides part of the model, so its error is undefined.")
    return _fit(y, design, {"cov_type": "HC2", "use_t": True}, float(df))


def fit_clustered(y: pd.Series, design: pd.DataFrame, groups: pd.Series) -> Fit:
    """OLS with errors clustered by `groups`, and as many degrees of freedom as groups less one."""
    codes = pd.Categorical(groups).codes
    clusters = int(codes.max()) + 1
    matrix = design.to_numpy(dtype=float)
    if len(y) <= matrix.shape[1] or not _full_rank(matrix):
        raise NotEstimableError("Too few participants for a model with every post in it.")
    options = {"cov_type": "cluster", "cov_kwds": {"groups": codes}, "use_t": True}
    return _fit(y, design, options, float(clusters - 1))


def _full_rank(matrix: Array) -> bool:
    """By the eigenvalues of the scaled cross product, which is small where the matrix is tall."""
    scale = np.sqrt(np.square(matrix).sum(axis=0))
    if not (scale > 0).all():
        return False
    scaled = matrix / scale
    return bool(np.linalg.eigvalsh(scaled.T @ scaled)[0] > RANK_LIMIT)


def _fit(y: pd.Series, design: pd.DataFrame, options: dict[str, object], df: float) -> Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = sm.OLS(y.to_numpy(dtype=float), design.to_numpy(dtype=float)).fit(**options)
    return Fit(tuple(design.columns), np.asarray(result.params), np.asarray(result.cov_params()), df)
