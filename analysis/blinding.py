"""The one place of the analysis that reads who is in which arm, and hides it until the lock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.errors import SnapshotError
from trial.models import Allocation, Study
from trial.services import allocation


@dataclass(frozen=True)
class ArmName:
    """An arm as a snapshot names it; the reference comes first and blinded arms have no reference."""

    code: str
    label: str


@dataclass(frozen=True)
class Arms:
    """Two arms, and the arm and stratum of every randomised participant (by primary key)."""

    names: tuple[ArmName, ArmName]
    blinded: bool
    members: dict[int, tuple[str, str]]


def arms_for_analysis(*, study: Study, simulated: bool, scramble: int | None = None) -> Arms:
    """Real arms of a locked study; A and B before the lock; A and B dealt out anew when scrambled.

    Raises:
        SnapshotError: the study has another number of arms than two.
    """
    protocol = study.protocol
    if len(protocol.arms) != 2:
        raise SnapshotError(f"The analysis compares two arms; {study.slug} has {len(protocol.arms)}.")
    members = _members(study, simulated=simulated)
    if study.state == Study.State.LOCKED and scramble is None:
        first, second = sorted(protocol.arms, key=lambda arm: not arm.reference)
        names = (ArmName(first.code, first.label), ArmName(second.code, second.label))
        return Arms(names, blinded=False, members=members)
    letters = allocation.coded_arms(study)
    members = {pk: (letters[pk], stratum) for pk, (_, stratum) in members.items()}
    if scramble is not None:
        members = _scrambled(members, scramble)
    return Arms((ArmName("A", "Arm A"), ArmName("B", "Arm B")), blinded=True, members=members)


def _members(study: Study, *, simulated: bool) -> dict[int, tuple[str, str]]:
    rows = Allocation.objects.filter(study=study, participant__simulated=simulated).order_by("participant__code")
    return {pk: (arm, stratum) for pk, arm, stratum in rows.values_list("participant_id", "arm", "stratum")}


def _scrambled(members: dict[int, tuple[str, str]], seed: int) -> dict[int, tuple[str, str]]:
    """The same arms dealt out at random within each stratum: any difference left is chance."""
    generator = np.random.default_rng(seed)
    scrambled: dict[int, tuple[str, str]] = {}
    for stratum in sorted({stratum for _, stratum in members.values()}):
        pks = [pk for pk, (_, where) in members.items() if where == stratum]
        arms = generator.permutation([members[pk][0] for pk in pks])
        scrambled |= {pk: (str(arm), stratum) for pk, arm in zip(pks, arms, strict=True)}
    return {pk: scrambled[pk] for pk in members}
