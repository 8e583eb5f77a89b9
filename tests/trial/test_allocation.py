"""The allocation services: one place each, in order, provable, and told to nobody."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import PermissionDenied
from django.db.models import ProtectedError

from tests import builders
from tests.trial.places import allocated, code_of, locked, set_state, somebody
from trial import randomisation, sealing
from trial.models import (
    Allocation,
    AllocationSeal,
    AuditEvent,
    Participant,
    Study,
    SurveyResponse,
)
from trial.progress import State
from trial.services import allocation, audit, studies

pytestmark = pytest.mark.django_db


# --- Sealing ------------------------------------------------------------------------------


def test_opening_a_study_seals_a_seed_and_publishes_its_commitment(hailey: Study) -> None:
    seal = hailey.seal
    seed = sealing.decrypt(bytes(seal.encrypted_seed))
    assert len(seed) == 32
    assert seal.commitment == randomisation.commitment(seed, hailey.protocol.sha256)
    assert AuditEvent.objects.get(action="allocation.sealed").data == {"commitment": seal.commitment}


def test_the_seed_is_nowhere_in_the_open(hailey: Study) -> None:
    seed = allocation.seed_of(hailey)
    row = AllocationSeal.objects.values().get()
    events = json.dumps(list(AuditEvent.objects.values_list("data", "object_ref")))
    for spelling in (seed, seed.hex().encode()):
        assert spelling not in bytes(row["encrypted_seed"])
        assert spelling.decode("latin-1") not in events
    assert row["revealed_seed"] == ""


def test_a_study_is_sealed_once(hailey: Study) -> None:
    before = AllocationSeal.objects.values().get()
    with pytest.raises(allocation.AlreadySealedError) as refused:
        allocation.seal(study=hailey)
    assert code_of(refused) == "already_sealed"
    assert AllocationSeal.objects.values().get() == before


def test_a_closed_study_is_not_sealed() -> None:
    study = builders.study(opened=False)
    set_state(study, Study.State.CLOSED)
    with pytest.raises(allocation.StudyNotOpenError):
        allocation.seal(study=study)


def test_two_studies_have_two_seeds(hailey: Study) -> None:
    other = Study.objects.create(slug="other", current_version=hailey.current_version)
    assert allocation.seal(study=other).commitment != hailey.seal.commitment
    assert allocation.seed_of(other) != allocation.seed_of(hailey)


def test_a_lost_key_is_told_loudly_and_nothing_is_allocated(hailey: Study, settings: Any) -> None:
    person = somebody(hailey)
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(sealing.SealingError, match="FIELD_ENCRYPTION_KEYS") as refused:
        allocation.allocate(participant=person)
    assert code_of(refused) == "sealing_key"
    assert not Allocation.objects.exists()


def test_a_newer_key_leaves_old_secrets_readable(settings: Any) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    settings.FIELD_ENCRYPTION_KEYS = [old]
    token = sealing.encrypt(b"seed")
    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    assert sealing.decrypt(token) == b"seed"
    moved = sealing.rotate(token)
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert sealing.decrypt(moved) == b"seed"
    with pytest.raises(sealing.SealingError):
        sealing.decrypt(token)


def test_a_key_that_is_none_is_told(settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = ["not a key"]
    with pytest.raises(sealing.SealingError, match="no Fernet key"):
        sealing.encrypt(b"seed")


# --- Allocating ---------------------------------------------------------------------------


def test_participants_take_the_places_in_order_and_the_ledger_replays(hailey: Study) -> None:
    rows = allocated(hailey, 40)
    assert [row.position for row in rows] == list(range(1, 41))
    assert rows[0].previous_hash == hailey.seal.commitment
    assert [row.previous_hash for row in rows[1:]] == [row.hash for row in rows[:-1]]
    assert allocation.verify(hailey) == []


def test_each_stratum_is_balanced_on_its_own(hailey: Study) -> None:
    rows = allocated(hailey, 60)
    for stratum in {row.stratum for row in rows}:
        arms = Counter(row.arm for row in rows if row.stratum == stratum)
        assert abs(arms["a1"] - arms["a0"]) <= 3


def test_the_stratum_is_the_submitted_answer(hailey: Study) -> None:
    level = hailey.protocol.stratum_item("pre.difficulty").options[-1].value
    row = allocation.allocate(participant=somebody(hailey, level))
    assert row.stratum == f"pre.difficulty={level}"


def test_asking_again_returns_the_same_place(hailey: Study) -> None:
    person = somebody(hailey)
    first = allocation.allocate(participant=person)
    again = allocation.allocate(participant=Participant.objects.get(pk=person.pk))
    assert (again.pk, again.arm) == (first.pk, first.arm)
    assert Allocation.objects.count() == 1
    assert AuditEvent.objects.filter(action="allocation.made").count() == 1


def test_asking_again_later_in_the_study_still_returns_the_place(hailey: Study) -> None:
    person = somebody(hailey)
    first = allocation.allocate(participant=person)
    Participant.objects.filter(pk=person.pk).update(state=State.WRITING)
    set_state(hailey, Study.State.CLOSED)
    assert allocation.allocate(participant=person) == first


def test_the_participant_in_hand_knows_the_allocation_at_once(hailey: Study) -> None:
    person = somebody(hailey)
    assert not hasattr(person, "allocation")
    assert allocation.allocate(participant=person) == person.allocation


def test_simulated_participants_share_the_ledger(hailey: Study) -> None:
    allocation.allocate(participant=somebody(hailey))
    row = allocation.allocate(participant=somebody(hailey, simulated=True))
    assert row.position == 2
    assert allocation.verify(hailey) == []


REFUSED = sorted(set(State) - {State.TRAINING, State.INSTRUCTIONS})


@pytest.mark.parametrize("state", REFUSED)
def test_only_somebody_between_training_and_writing_is_allocated(hailey: Study, state: State) -> None:
    with pytest.raises(allocation.WrongStateError) as refused:
        allocation.allocate(participant=somebody(hailey, state=state))
    assert code_of(refused) == "wrong_state"
    assert not Allocation.objects.exists()


def test_the_state_in_the_database_decides_and_not_the_copy_in_hand(hailey: Study) -> None:
    person = somebody(hailey)
    Participant.objects.filter(pk=person.pk).update(state=State.WITHDRAWN)
    with pytest.raises(allocation.WrongStateError):
        allocation.allocate(participant=person)


@pytest.mark.parametrize("state", ["draft", "paused", "closed", "locked"])
def test_a_study_that_is_not_open_allocates_nobody(hailey: Study, state: str) -> None:
    person = somebody(hailey)
    set_state(hailey, state)
    with pytest.raises(allocation.StudyNotOpenError) as refused:
        allocation.allocate(participant=person)
    assert code_of(refused) == "study_not_open"


def test_a_resumed_study_goes_on_where_it_was(hailey: Study) -> None:
    allocated(hailey, 3)
    studies.act(study=hailey, name="pause")
    studies.act(study=hailey, name="resume")
    assert [row.position for row in allocated(hailey, 2)] == [4, 5]
    assert allocation.verify(hailey) == []


def test_a_study_without_a_seed_allocates_nobody() -> None:
    study = builders.study(opened=False)
    set_state(study, Study.State.OPEN)
    with pytest.raises(allocation.NotSealedError) as refused:
        allocation.allocate(participant=somebody(study))
    assert code_of(refused) == "not_sealed"


@pytest.mark.parametrize(
    "change",
    [{"submitted_at": None}, {"answers": {}}, {"answers": {"difficulty": "made_up"}}, {"survey": "post"}],
)
def test_without_a_submitted_answer_there_is_no_stratum(hailey: Study, change: dict[str, Any]) -> None:
    person = somebody(hailey)
    SurveyResponse.objects.filter(participant=person).update(**change)
    with pytest.raises(allocation.StratumMissingError) as refused:
        allocation.allocate(participant=person)
    assert code_of(refused) == "stratum_missing"
    assert not Allocation.objects.exists()


def test_a_ledger_row_is_neither_changed_nor_deleted(hailey: Study) -> None:
    row = allocated(hailey, 1)[0]
    for change in (
        row.save,
        row.delete,
        lambda: Allocation.objects.update(arm="a0"),
        Allocation.objects.all().delete,
        lambda: Allocation.objects.bulk_update([row], ["arm"]),
        lambda: Allocation.objects.bulk_create([row]),
    ):
        with pytest.raises(TypeError):
            change()
    with pytest.raises(ProtectedError):
        row.participant.delete()


def test_erasing_a_participant_keeps_the_place_and_the_code(hailey: Study) -> None:
    person = builders.participant(hailey, state=State.WRITING)
    person.user.delete()
    assert Allocation.objects.get(participant=person).position == 1
    assert allocation.verify(hailey) == []


# --- Who may know -------------------------------------------------------------------------


def test_the_audit_trail_knows_place_and_code_and_never_the_arm(hailey: Study) -> None:
    rows = allocated(hailey, 12)
    events = list(AuditEvent.objects.filter(action="allocation.made"))
    assert [e.object_ref for e in events] == [row.participant.code for row in rows]
    assert [e.data for e in events] == [{"position": row.position} for row in rows]
    assert list(audit.breaks()) == []


def test_the_ledgers_hashes_are_not_in_the_audit_trail(hailey: Study) -> None:
    """A row's hash, with its other facts known, would give the arm away by trying both."""
    rows = allocated(hailey, 6)
    told = json.dumps(list(AuditEvent.objects.values("data", "object_ref")))
    assert not any(row.hash in told for row in rows)


def test_the_intervention_is_that_of_the_arm_and_none_before(hailey: Study) -> None:
    person = somebody(hailey)
    assert allocation.intervention_of(person) == "none"
    seen = {row.arm: allocation.intervention_of(row.participant) for row in allocated(hailey, 12)}
    assert seen == {"a1": "feedback", "a0": "none"}


@pytest.mark.parametrize("role", ["investigator", "statistician", "safety_officer", "rater", "administrator"])
def test_before_the_lock_no_other_role_sees_arms(hailey: Study, role: str) -> None:
    with pytest.raises(PermissionDenied):
        allocation.arms_of(hailey, user=builders.staff(role))
    assert not AuditEvent.objects.filter(action="allocation.viewed").exists()


def test_a_monitor_sees_arms_and_the_look_is_recorded(hailey: Study) -> None:
    rows = allocated(hailey, 5)
    monitor = builders.staff("monitor")
    arms = allocation.arms_of(hailey, user=monitor)
    assert arms == {row.participant_id: row.arm for row in rows}
    assert AuditEvent.objects.get(action="allocation.viewed").actor == monitor.email


def test_after_the_lock_the_statistician_sees_arms(hailey: Study) -> None:
    rows = allocated(hailey, 5)
    done = locked(hailey)
    arms = allocation.arms_of(done, user=builders.staff("statistician"))
    assert arms == {row.participant_id: row.arm for row in rows}


def test_a_stale_copy_of_the_study_does_not_open_the_arms(hailey: Study) -> None:
    hailey.state = Study.State.LOCKED
    with pytest.raises(PermissionDenied):
        allocation.arms_of(hailey, user=builders.staff("statistician"))


def test_coded_arms_follow_the_arms_under_letters(hailey: Study) -> None:
    rows = allocated(hailey, 12)
    letters = allocation.coded_arms(hailey)
    pairs = {(row.arm, letters[row.participant_id]) for row in rows}
    assert len(pairs) == 2
    assert {letter for _, letter in pairs} == {"A", "B"}


def test_which_letter_an_arm_has_depends_on_the_seed(hailey: Study) -> None:
    """Over 40 seeds both codings occur; the chance of only one is 2 in 2^40."""
    first = allocated(hailey, 1)[0]
    seen = set()
    for n in range(40):
        seed = bytes([n]) * 32
        AllocationSeal.objects.update(encrypted_seed=sealing.encrypt(seed))
        seen.add(allocation.coded_arms(hailey)[first.participant_id])
    assert seen == {"A", "B"}
