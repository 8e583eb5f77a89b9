"""The audit trail: append-only, chained, and too narrow for a text, an address or an arm."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from trial.models import AuditEvent, AuditHead, Study, User
from trial.services import audit

pytestmark = pytest.mark.django_db


def record_three() -> list[AuditEvent]:
    study = Study.objects.create(slug="kind-words")
    return [
        audit.record("study.opened", study=study, data={"version": "1.0"}),
        audit.record("participant.joined", label="participant", study=study, ref="BCDFGHJK"),
        audit.record("allocation.made", study=study, ref="BCDFGHJK", data={"position": 1}),
    ]


def alter(seq: int, column: str, value: Any) -> None:
    """Change a row the way somebody with the database's password could."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE trial_auditevent SET {column} = %s WHERE seq = %s", [value, seq])


def broken() -> list[int]:
    return [place.seq for place in audit.breaks()]


def test_events_are_numbered_from_one_and_each_names_the_hash_before() -> None:
    first, second, third = record_three()
    assert [first.seq, second.seq, third.seq] == [1, 2, 3]
    assert (second.previous_hash, third.previous_hash) == (first.hash, second.hash)
    assert audit.head() == (3, third.hash)
    assert broken() == []


def test_staff_are_named_by_address_and_outlive_their_account() -> None:
    lead = User.objects.create_user("ada@example.org", is_staff=True)
    event = audit.record("study.paused", actor=lead)
    assert (event.actor, event.actor_id) == ("ada@example.org", str(lead.pk))
    lead.delete()
    assert AuditEvent.objects.get(seq=event.seq).actor == "ada@example.org"
    assert broken() == []


def test_a_participant_is_never_named_by_account() -> None:
    person = User.objects.create_user("writer@example.org")
    event = audit.record("reply.submitted", actor=person, ref="BCDFGHJK")
    assert (event.actor, event.actor_id) == ("participant", "")


def test_an_event_without_an_actor_says_system() -> None:
    assert audit.record("participant.timed_out").actor == "system"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("action", "study.closed"),
        ("actor", "somebody else"),
        ("object_ref", "ZZZZZZZZ"),
        ("data", '{"position": 2}'),
        ("at", "2026-01-01 00:00:00.000001"),
        ("study", "another"),
        ("actor_id", "7"),
    ],
)
def test_changing_one_fact_breaks_the_chain_at_that_event_only(column: str, value: str) -> None:
    record_three()
    alter(2, column, value)
    assert broken() == [2]


def test_a_forged_hash_breaks_the_event_and_the_one_after() -> None:
    record_three()
    alter(2, "hash", "f" * 64)
    assert broken() == [2, 3]


def test_a_removed_event_is_noticed_at_the_next() -> None:
    record_three()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM trial_auditevent WHERE seq = 2")
    assert broken() == [3]


def test_removed_newest_events_are_noticed_by_the_head() -> None:
    record_three()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM trial_auditevent WHERE seq > 1")
    assert broken() == [2]


def test_an_event_added_behind_the_services_back_is_noticed() -> None:
    last = record_three()[-1]
    AuditEvent(seq=4, at=last.at, actor="x", action="study.opened", previous_hash=last.hash, hash="0" * 64).save()
    assert broken() == [4, 4]


def test_an_anchor_kept_outside_exposes_a_chain_that_was_rewritten_whole() -> None:
    kept = record_three()[1]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM trial_auditevent")
    AuditHead.objects.all().delete()
    for _ in range(3):
        audit.record("study.opened")
    assert broken() == []
    assert [place.seq for place in audit.breaks(anchors={kept.seq: kept.hash})] == [kept.seq]
    assert [place.seq for place in audit.breaks(anchors={9: "a" * 64})] == [9]


def test_another_secret_key_fails_unless_the_old_one_is_a_fallback(settings: Any) -> None:
    record_three()
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another-key"
    assert broken() == [1, 2, 3]
    settings.SECRET_KEY_FALLBACKS = [old]
    assert broken() == []


@pytest.mark.django_db(transaction=True)
def test_an_event_outside_a_transaction_is_refused() -> None:
    with pytest.raises(audit.AuditRefusedError) as refused:
        audit.record("study.opened")
    assert refused.value.code == "audit_refused"
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_event_disappears_with_the_write_that_it_tells_of() -> None:
    with transaction.atomic():
        audit.record("study.opened")
        transaction.set_rollback(True)
    with transaction.atomic():
        assert audit.record("study.opened").seq == 1
    assert broken() == []


@pytest.mark.parametrize("key", ["text", "email", "arm", "reply", "Arm", "stratum", "seed"])
def test_keys_that_could_unblind_or_identify_are_refused(key: str) -> None:
    with pytest.raises(audit.AuditRefusedError):
        audit.record("allocation.made", data={key: "x"})


@pytest.mark.parametrize(
    "value",
    [
        "x" * 201,
        {"nested": 1},
        ["x" * 201],
        [["deep"]],
        b"bytes",
        float("nan"),
        1e15,
        object(),
        "a\0b",
        "write to ada@example.org",
        list(range(51)),
    ],
)
def test_values_that_are_not_short_scalars_are_refused(value: Any) -> None:
    with pytest.raises(audit.AuditRefusedError):
        audit.record("reply.submitted", data={"value": value})


@pytest.mark.parametrize("action", ["", "opened", "Study.opened", "study opened", "study.", "a." + "b" * 60])
def test_an_action_is_a_dotted_name(action: str) -> None:
    with pytest.raises(audit.AuditRefusedError):
        audit.record(action)


def test_an_address_is_no_reference() -> None:
    with pytest.raises(audit.AuditRefusedError):
        audit.record("study.opened", ref="ada@example.org")


SHORT = st.text(st.characters(exclude_characters="\0@", exclude_categories=["Cs"]), max_size=200)
SCALARS = st.none() | st.booleans() | SHORT | st.integers(-(10**14), 10**14) | st.floats(-1e14, 1e14)


@given(data=st.dictionaries(st.sampled_from(["count", "state", "kind"]), SCALARS | st.lists(SCALARS, max_size=5)))
def test_whatever_is_accepted_comes_back_with_the_same_hash(data: dict[str, Any]) -> None:
    with transaction.atomic():
        audit.record("feedback.done", data=data)
        assert broken() == []
        transaction.set_rollback(True)


def test_an_event_cannot_be_saved_again_or_deleted() -> None:
    event = record_three()[0]
    event.action = "study.closed"
    with pytest.raises(TypeError):
        event.save()
    with pytest.raises(TypeError):
        event.delete()
    with pytest.raises(TypeError):
        AuditEvent.objects.get(seq=1).save()


def test_events_cannot_be_changed_in_bulk() -> None:
    events = record_three()
    everything = AuditEvent.objects.all()
    for change in (
        lambda: everything.update(action="x.y"),
        everything.delete,
        lambda: everything.bulk_update(events, ["action"]),
        lambda: everything.bulk_create([]),
    ):
        with pytest.raises(TypeError):
            change()
    assert AuditEvent.objects.count() == 3


def test_the_command_prints_an_anchor_that_it_accepts_again() -> None:
    record_three()
    out = StringIO()
    call_command("verify_audit", stdout=out)
    assert out.getvalue().startswith("ok: 3 events, anchor 3:")
    call_command("verify_audit", anchor=[out.getvalue().split()[-1]], stdout=StringIO())


def test_the_command_fails_and_says_where() -> None:
    record_three()
    alter(2, "actor", "somebody else")
    out = StringIO()
    with pytest.raises(CommandError, match="1 place"):
        call_command("verify_audit", stdout=out)
    assert out.getvalue().startswith("#2 was changed")


def test_the_command_refuses_a_malformed_anchor() -> None:
    with pytest.raises(CommandError, match="NUMBER:HASH"):
        call_command("verify_audit", anchor=["three"], stdout=StringIO())
