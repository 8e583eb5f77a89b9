"""What leaves the database: only allow-listed columns, blinded until the lock, under hashes."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest

from analysis import dataset
from analysis.errors import NothingToFreezeError, SnapshotError
from analysis.models import ReplyScore, Snapshot
from analysis.scoring import score_replies
from analysis.snapshot import Scope, Who, default_who, take_snapshot
from tests import builders
from tests.analysis.people import Plant, WordScorer, grow
from trial.models import Allocation, AuditEvent, Reply, Study, Withdrawal
from trial.services import studies, withdrawal


def freeze(study: Study, who: Who = "simulated", scramble: int | None = None) -> Snapshot:
    return take_snapshot(scope=Scope(study, who, scramble), scorer=WordScorer())[0]


def lock(study: Study) -> Study:
    return studies.act(study=studies.act(study=study, name="close"), name="lock")


def frame(snapshot: Snapshot, name: str) -> pd.DataFrame:
    return pd.read_parquet(snapshot.path / f"{name}.parquet")


# --- Scoring ------------------------------------------------------------------------------


def test_every_reply_is_scored_once_and_only_new_ones_later(hailey: Study) -> None:
    grow(hailey, Plant(people=2))
    scorer = WordScorer()
    assert score_replies(study=hailey, scorer=scorer, simulated=True) == 20
    grow(hailey, Plant(people=1, seed=2))
    assert score_replies(study=hailey, scorer=scorer, simulated=True) == 10
    assert score_replies(study=hailey, scorer=scorer, simulated=True) == 0
    assert len(scorer.seen) == ReplyScore.objects.count() == 30


def test_the_scorer_sees_replies_in_an_order_that_tells_nothing(hailey: Study) -> None:
    grow(hailey, Plant(people=6))
    scorer = WordScorer()
    score_replies(study=hailey, scorer=scorer, simulated=True)
    written = list(Reply.objects.order_by("pk").values_list("post__text", flat=True))
    seen = [pair.seeker for pair in scorer.seen]
    assert sorted(seen) == sorted(written)
    assert seen != written


def test_a_blank_reply_counts_as_zero_without_asking_the_scorer(hailey: Study) -> None:
    grow(hailey, Plant(people=1, replies=1))
    Reply.objects.update(text="  ")
    scorer = WordScorer()
    score_replies(study=hailey, scorer=scorer, simulated=True)
    assert ReplyScore.objects.get().total == 0
    assert scorer.seen == []


def test_a_draft_is_neither_scored_nor_frozen(hailey: Study) -> None:
    grow(hailey, Plant(people=2))
    Reply.objects.filter(position=10).update(submitted_at=None)
    snapshot = freeze(hailey)
    assert snapshot.replies == len(frame(snapshot, "scores")) == 18


# --- What is in it ------------------------------------------------------------------------


def test_no_file_holds_an_address_or_anything_that_people_wrote(hailey: Study) -> None:
    grow(hailey, Plant(people=6))
    snapshot = freeze(hailey)
    everything = b"".join(file.read_bytes() for file in sorted(snapshot.path.iterdir()))
    tables = "".join(frame(snapshot, file.stem).to_csv() for file in snapshot.path.glob("*.parquet"))
    text = Reply.objects.order_by("-pk").values_list("text", flat=True)[0]
    for secret in ("@example.org", "a word nobody else", "Nothing to add", text):
        assert secret.encode() not in everything
        assert secret not in tables


def test_until_the_lock_arms_are_a_and_b_and_nothing_else_tells_them(hailey: Study) -> None:
    grow(hailey, Plant(people=12))
    snapshot = freeze(hailey)
    people = frame(snapshot, "participants").set_index("participant")
    real = dict(Allocation.objects.values_list("participant__code", "arm"))
    pairs = {(people.loc[code, "arm"], arm) for code, arm in real.items()}
    assert snapshot.blinded
    assert set(people["arm"]) == {"A", "B"}
    assert len(pairs) == 2, "one letter for each arm"
    assert not (snapshot.path / "exposure.parquet").exists()
    assert not [c for c in frame(snapshot, "surveys") if c in ("post.helpful", "post.actionable", "post.deploy")]
    assert not [c for c in frame(snapshot, "surveys") if "feedback" in c]
    for arm in hailey.protocol.arms:
        assert arm.label.encode() not in (snapshot.path / "manifest.json").read_bytes()


def test_a_stays_a_from_snapshot_to_snapshot(hailey: Study) -> None:
    grow(hailey, Plant(people=8))
    first = frame(freeze(hailey), "participants").set_index("participant")["arm"]
    grow(hailey, Plant(people=4, seed=9))
    second = frame(freeze(hailey), "participants").set_index("participant")["arm"]
    assert second[first.index].equals(first)


def test_after_the_lock_arms_have_their_names_and_exposure_is_there(hailey: Study) -> None:
    grow(hailey, Plant(people=8))
    snapshot = freeze(lock(hailey))
    people = frame(snapshot, "participants").set_index("participant")["arm"]
    assert people.to_dict() == dict(Allocation.objects.values_list("participant__code", "arm"))
    assert not snapshot.blinded
    assert len(frame(snapshot, "exposure")) == 8
    assert frame(snapshot, "surveys")["post.helpful"].notna().sum() == (people == "a1").sum()
    assert [arm.label for arm in dataset.read_manifest(snapshot.path).arms] == ["Human only", "Human + AI"]


def test_scrambled_arms_keep_their_number_in_each_stratum_and_follow_the_seed(hailey: Study) -> None:
    grow(hailey, Plant(people=30))
    plain, one, again, other = (freeze(hailey, scramble=seed) for seed in (None, 1, 1, 2))
    sizes = [
        Counter(zip(f["stratum"], f["arm"], strict=True))
        for f in (frame(s, "participants") for s in (plain, one, other))
    ]
    assert sizes[0] == sizes[1] == sizes[2]
    assert one == again
    assert len({plain.sha256, one.sha256, other.sha256}) == 3
    assert list(frame(plain, "participants")["arm"]) != list(frame(one, "participants")["arm"])


def test_a_scramble_of_a_locked_study_is_blinded_again(hailey: Study) -> None:
    grow(hailey, Plant(people=8))
    snapshot = freeze(lock(hailey), scramble=5)
    assert snapshot.blinded
    assert not (snapshot.path / "exposure.parquet").exists()


def test_real_and_simulated_people_never_stand_in_one_snapshot(hailey: Study) -> None:
    grow(hailey, Plant(people=3))
    real = grow(hailey, Plant(people=2, seed=2, simulated=False))
    codes = {person.code for person in real}
    assert set(frame(freeze(hailey, "real"), "participants")["participant"]) == codes
    assert not codes & set(frame(freeze(hailey, "simulated"), "disposition")["participant"])


def test_people_who_had_their_data_erased_are_counted_and_nothing_else(hailey: Study) -> None:
    person, *_ = grow(hailey, Plant(people=4, finish=False))
    withdrawal.withdraw(participant=person, kind=Withdrawal.Kind.ERASE)
    snapshot = freeze(hailey)
    people = frame(snapshot, "participants").set_index("participant")
    assert people.loc[person.code, "erased"]
    assert person.code not in set(frame(snapshot, "replies")["participant"])
    row = frame(snapshot, "surveys").set_index("participant").loc[person.code]
    assert not row["pre.submitted"]
    assert row.drop(["pre.submitted", "post.submitted"]).isna().all()


def test_scales_are_means_after_reversing(hailey: Study) -> None:
    person, *_ = grow(hailey, Plant(people=1))
    answers = {i.code: 2 for i in hailey.protocol.surveys["pre"].items if i.kind == "likert"}
    person.responses.filter(survey="pre").update(answers=answers)
    row = frame(freeze(hailey), "surveys").iloc[0]
    scale = next(s for s in hailey.protocol.surveys["pre"].scales if s.code == "self_efficacy")
    reversed_items = sum(hailey.protocol.surveys["pre"].item(code).reverse for code in scale.items)
    expected = (2 * (len(scale.items) - reversed_items) + 6 * reversed_items) / len(scale.items)
    assert row["pre.self_efficacy"] == pytest.approx(expected)
    assert row["pre.se_stuck"] == 2, "items stay as they were given"


def test_every_column_is_in_the_codebook(hailey: Study) -> None:
    grow(hailey, Plant(people=2))
    snapshot = freeze(hailey)
    data = dataset.load(snapshot.path)
    assert set(data.codebook) == set(frame(snapshot, "surveys").columns)
    assert data.codebook["pre.difficulty"]["values"]["challenging"]
    assert data.codebook["post.self_efficacy"]["range"] == [1, 7]


# --- Hashes -------------------------------------------------------------------------------


def test_the_same_data_give_the_same_snapshot(hailey: Study) -> None:
    grow(hailey, Plant(people=3))
    first, created = take_snapshot(scope=Scope(hailey, "simulated"), scorer=WordScorer())
    second, again = take_snapshot(scope=Scope(hailey, "simulated"), scorer=WordScorer())
    assert (created, again) == (True, False)
    assert first == second
    assert Snapshot.objects.count() == 1
    assert AuditEvent.objects.filter(action="snapshot.taken").count() == 1


@pytest.mark.parametrize("name", ["scores.parquet", "plan.json"])
def test_an_altered_file_is_refused(hailey: Study, name: str) -> None:
    grow(hailey, Plant(people=2))
    file = freeze(hailey).path / name
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(SnapshotError, match="SHA-256 differs"):
        dataset.load(file.parent)


def test_a_missing_file_or_folder_is_refused(hailey: Study) -> None:
    grow(hailey, Plant(people=2))
    folder = freeze(hailey).path
    (folder / "surveys.parquet").unlink()
    with pytest.raises(SnapshotError, match=r"surveys\.parquet is missing"):
        dataset.load(folder)
    with pytest.raises(SnapshotError, match="No snapshot in"):
        dataset.load(folder / "nowhere")


def test_before_anybody_is_randomised_there_is_nothing_to_freeze(hailey: Study) -> None:
    builders.participant(hailey, state=builders.State.TRAINING)
    with pytest.raises(NothingToFreezeError, match="No simulated participant"):
        freeze(hailey)


def test_in_a_demo_a_simulated_trial_is_taken_before_the_few_who_tried_the_site(hailey: Study) -> None:
    assert default_who(hailey) == "real"
    grow(hailey, Plant(people=1, simulated=False))
    assert default_who(hailey) == "real"
    grow(hailey, Plant(people=1, seed=2))
    assert default_who(hailey) == "simulated"


def test_outside_a_demo_real_people_come_first(hailey: Study, settings: object) -> None:
    settings.DEMO = False  # type: ignore[attr-defined]
    grow(hailey, Plant(people=1))
    assert default_who(hailey) == "simulated"
    grow(hailey, Plant(people=1, seed=2, simulated=False))
    assert default_who(hailey) == "real"
