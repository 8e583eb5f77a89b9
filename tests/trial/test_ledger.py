"""Revealing the seed and verifying the ledger, in the database and from the exported file alone."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests import builders
from tests.trial.places import allocated, alter, code_of, locked, set_state
from trial import sealing
from trial.models import (
    AllocationSeal,
    AuditEvent,
    Study,
)
from trial.services import allocation, studies

pytestmark = pytest.mark.django_db


# --- Revealing and verifying --------------------------------------------------------------


@pytest.mark.parametrize("state", ["open", "paused"])
def test_the_seed_stays_sealed_while_anybody_could_be_allocated(hailey: Study, state: str) -> None:
    set_state(hailey, state)
    with pytest.raises(allocation.NotLockedError) as refused:
        allocation.reveal(study=hailey)
    assert code_of(refused) == "study_not_locked"


def test_the_lock_reveals_the_seed_once(hailey: Study) -> None:
    seed = allocation.seed_of(hailey)
    done = locked(hailey)
    first = AllocationSeal.objects.values().get()
    assert first["revealed_seed"] == seed.hex()
    allocation.reveal(study=done)
    assert AllocationSeal.objects.values().get() == first
    assert AuditEvent.objects.filter(action="allocation.revealed").count() == 1


@pytest.mark.parametrize(
    ("column", "value"),
    [("arm", "a9"), ("inputs", "{}"), ("at", "2026-01-01 00:00:00"), ("stratum", "pre.difficulty=x")],
)
def test_a_changed_row_is_named(hailey: Study, column: str, value: str) -> None:
    allocated(hailey, 10)
    alter(4, column, value)
    assert allocation.verify(hailey)[0].position == 4


def test_rows_cut_off_the_end_are_noticed_through_the_audit_trail(hailey: Study) -> None:
    allocated(hailey, 6)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM trial_allocation WHERE position > 4")
    assert [d.position for d in allocation.verify(hailey)] == [5, 6]


def test_another_seed_put_in_its_place_is_noticed(hailey: Study) -> None:
    allocated(hailey, 6)
    AllocationSeal.objects.update(encrypted_seed=sealing.encrypt(bytes(32)))
    assert allocation.verify(hailey)[0].position == 0


def test_a_changed_commitment_is_noticed(hailey: Study) -> None:
    AllocationSeal.objects.update(commitment="0" * 64)
    assert {d.position for d in allocation.verify(hailey)} == {0}


def test_a_changed_stored_protocol_is_noticed(hailey: Study) -> None:
    allocated(hailey, 3)
    version = hailey.current_version
    assert version is not None
    version.document["target"] = 7
    version.save()
    assert "protocol" in allocation.verify(hailey)[0].reason


def test_the_command_verifies_before_the_lock_and_prints_no_arm(hailey: Study) -> None:
    allocated(hailey, 8)
    out = StringIO()
    call_command("verify_allocation", "hailey", stdout=out)
    assert out.getvalue() == "ok: 8 allocations replayed without a difference\n"
    alter(3, "arm", "a9")
    out = StringIO()
    with pytest.raises(CommandError, match="in 8 allocations"):
        call_command("verify_allocation", "hailey", stdout=out)
    assert "position 3: was changed after it was written" in out.getvalue()
    assert not any(arm in out.getvalue() for arm in ("a0", "a1", "a9"))


def test_the_commands_say_what_they_lack(tmp_path: Path) -> None:
    for arguments in ([], ["nowhere"], ["a", "--ledger", "b"], ["--ledger", str(tmp_path / "none.json")]):
        with pytest.raises(CommandError):
            call_command("verify_allocation", *arguments, stdout=StringIO())
    with pytest.raises(CommandError, match="no study"):
        call_command("export_ledger", "nowhere", "--out", str(tmp_path / "x.json"), stdout=StringIO())


def test_an_unopened_study_has_nothing_to_verify() -> None:
    builders.study(opened=False)
    with pytest.raises(CommandError, match="no sealed seed"):
        call_command("verify_allocation", "hailey", stdout=StringIO())


def test_the_ledger_is_exported_only_after_the_lock(hailey: Study, tmp_path: Path) -> None:
    allocated(hailey, 2)
    studies.act(study=hailey, name="close")
    allocation.reveal(study=hailey)
    out = tmp_path / "ledger.json"
    with pytest.raises(CommandError, match="after the lock"):
        call_command("export_ledger", "hailey", "--out", str(out), stdout=StringIO())
    assert not out.exists()


def test_a_folder_that_is_not_there_is_told(hailey: Study, tmp_path: Path) -> None:
    locked(hailey)
    with pytest.raises(CommandError, match="No such file"):
        call_command("export_ledger", "hailey", "--out", str(tmp_path / "no" / "x.json"), stdout=StringIO())


def export(study: Study, file: Path) -> dict[str, Any]:
    call_command("export_ledger", study.slug, "--out", str(file), stdout=StringIO())
    document: dict[str, Any] = json.loads(file.read_text())
    return document


def test_the_exported_file_alone_verifies_without_the_rows(hailey: Study, tmp_path: Path) -> None:
    allocated(hailey, 20)
    file = tmp_path / "ledger.json"
    export(locked(hailey), file)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM trial_allocation")
        cursor.execute("DELETE FROM trial_allocationseal")
    out = StringIO()
    call_command("verify_allocation", "--ledger", str(file), stdout=out)
    assert out.getvalue().startswith("ok: 20 ")


def test_verifying_a_file_asks_the_database_nothing(
    hailey: Study, tmp_path: Path, django_assert_num_queries: Any
) -> None:
    allocated(hailey, 4)
    file = tmp_path / "ledger.json"
    export(locked(hailey), file)
    with django_assert_num_queries(0):
        call_command("verify_allocation", "--ledger", str(file), stdout=StringIO())


def test_a_bent_file_is_named(hailey: Study, tmp_path: Path) -> None:
    allocated(hailey, 6)
    file = tmp_path / "ledger.json"
    document = export(locked(hailey), file)
    document["rows"][1]["arm"] = "a9"
    file.write_text(json.dumps(document))
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("verify_allocation", "--ledger", str(file), stdout=out)
    assert "position 2: was changed" in out.getvalue()


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ledger.json"
    for text in ("", "[]", "{}", '{"format": "attune-ledger-1"}', "\x00"):
        file.write_text(text)
        with pytest.raises(CommandError):
            call_command("verify_allocation", "--ledger", str(file), stdout=StringIO())
