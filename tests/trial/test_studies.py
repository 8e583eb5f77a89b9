"""The life of a study: loading, amending, opening, closing, locking, and consenting again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from tests import builders
from tests.conftest import client_of
from trial.models import AuditEvent, Participant, Post, ProtocolVersion, Study
from trial.progress import State
from trial.protocol import read_protocol
from trial.services import flow, studies
from trial.services.studies import AmendmentError, StudyStateError

pytestmark = pytest.mark.django_db

VERSION = f'version: "{read_protocol(builders.HAILEY).version}"'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(builders.HAILEY, tmp_path / "hailey"))


def change(folder: Path, old: str, new: str, name: str = "protocol.yaml") -> None:
    file = folder / name
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))


def test_loading_twice_changes_nothing(folder: Path) -> None:
    studies.load_protocol(folder=folder)
    events = AuditEvent.objects.count()
    version, new = studies.load_protocol(folder=folder)
    assert not new
    assert (ProtocolVersion.objects.count(), AuditEvent.objects.count()) == (1, events)
    assert version.protocol.sha256 == version.sha256


def test_a_draft_study_takes_a_changed_protocol_under_the_same_version(folder: Path) -> None:
    studies.load_protocol(folder=folder)
    change(folder, "target: 300", "target: 310")
    version, new = studies.load_protocol(folder=folder)
    assert new
    assert version.protocol.target == 310
    assert ProtocolVersion.objects.count() == 1


def test_an_open_study_refuses_a_change_without_a_new_version(folder: Path) -> None:
    builders.study(folder=folder)
    change(folder, "target: 300", "target: 310")
    with pytest.raises(AmendmentError) as refusal:
        studies.load_protocol(folder=folder)
    assert refusal.value.code == "amendment_refused"
    assert Study.objects.get().protocol.target == 300


def test_an_amendment_is_a_new_version_and_people_inside_keep_theirs(folder: Path) -> None:
    study = builders.study(folder=folder)
    person = builders.participant(study)
    change(folder, VERSION, 'version: "9.0"')
    change(folder, "target: 300", "target: 310")
    studies.load_protocol(folder=folder)
    study.refresh_from_db()
    person.refresh_from_db()
    assert study.protocol.target == 310
    assert person.protocol.target == 300
    assert not flow.needs_reconsent(person)


def test_an_amendment_cannot_touch_the_arms(folder: Path) -> None:
    builders.study(folder=folder)
    change(folder, VERSION, 'version: "2.0"')
    change(folder, "label: Human only", "label: Nothing at all")
    with pytest.raises(AmendmentError):
        studies.load_protocol(folder=folder)


def amend_consent(folder: Path) -> None:
    text = (folder / "protocol.yaml").read_text()
    text = text.replace(VERSION, 'version: "9.0"').replace('version: "1.0"', 'version: "1.1"')
    (folder / "protocol.yaml").write_text(text)
    (folder / "consent.md").write_text((folder / "consent.md").read_text() + "\nOne more thing.\n")
    studies.load_protocol(folder=folder)


def test_a_changed_consent_is_asked_again_before_anything_else(folder: Path) -> None:
    study = builders.study(folder=folder)
    person = builders.participant(study)
    amend_consent(folder)
    client = client_of(person)
    ask = reverse("trial:reconsent", args=["hailey"])
    assert client.get(reverse("trial:writing", args=["hailey"])).url == ask
    assert "One more thing." in client.get(ask).content.decode()
    ticks = {s.code: "on" for s in person.protocol.consent.statements}
    assert client.post(ask, ticks | {"decision": "agree"}).url == reverse("trial:writing", args=["hailey"])
    person = Participant.objects.get(pk=person.pk)
    assert person.protocol.consent.version == "1.1"
    assert list(person.consents.values_list("version", flat=True)) == ["1.0", "1.1"]


def test_declining_the_changed_consent_leaves_the_study(folder: Path) -> None:
    person = builders.participant(builders.study(folder=folder))
    amend_consent(folder)
    client_of(person).post(reverse("trial:reconsent", args=["hailey"]), {"decision": "decline"})
    person.refresh_from_db()
    assert person.state == State.WITHDRAWN


def test_posts_taken_out_are_kept_but_drawn_no_more(folder: Path) -> None:
    study = builders.study(folder=folder, opened=False)
    rows = (folder / "posts.csv").read_text().splitlines(keepends=True)
    gone = rows[-1].split(",")[0]
    (folder / "posts.csv").write_text("".join(rows[:-1]))
    reviewed = (folder / "reviewed.csv").read_text().splitlines(keepends=True)
    (folder / "reviewed.csv").write_text("".join(row for row in reviewed if not row.startswith(f"{gone},")))
    studies.load_protocol(folder=folder)
    assert not Post.objects.get(study=study, code=gone).active


def test_the_command_says_where_and_why_a_folder_is_refused(folder: Path) -> None:
    change(folder, "target: 300", "goal: 300")
    with pytest.raises(CommandError, match=r"protocol\.yaml.*goal"):
        call_command("load_protocol", str(folder))


@pytest.mark.parametrize(
    ("acts", "refused"),
    [
        ([], "close"),
        (["open"], "open"),
        (["open"], "lock"),
        (["open", "pause"], "lock"),
        (["open", "close"], "resume"),
        (["open", "close", "lock"], "open"),
    ],
)
def test_acts_out_of_order_are_refused(folder: Path, acts: list[str], refused: str) -> None:
    study = builders.study(folder=folder, opened=False)
    for name in acts:
        study = studies.act(study=study, name=name)
    with pytest.raises(StudyStateError) as refusal:
        studies.act(study=study, name=refused)
    assert refusal.value.code == "wrong_study_state"


def test_locking_reveals_the_seed_that_was_sealed_at_opening(folder: Path) -> None:
    study = builders.study(folder=folder)
    assert study.seal.revealed_seed == ""
    for name in ("close", "lock"):
        study = studies.act(study=study, name=name)
    study.seal.refresh_from_db()
    assert len(study.seal.revealed_seed) == 64


def test_a_closed_study_takes_no_amendment(folder: Path) -> None:
    study = builders.study(folder=folder)
    studies.act(study=study, name="close")
    change(folder, VERSION, 'version: "9.0"')
    with pytest.raises(AmendmentError):
        studies.load_protocol(folder=folder)
