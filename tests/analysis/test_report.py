"""From people to report: the numbers are right, the same everywhere, and never NaN."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from analysis import dataset, runs
from analysis.runs import Written
from analysis.snapshot import Scope, read_manifest, take_snapshot
from tests.analysis.people import Plant, WordScorer, grow
from trial.models import Reply, Study, SurveyResponse
from trial.services import studies


def analysed(study: Study, out: Path, *, scramble: int | None = None) -> Written:
    snapshot, _ = take_snapshot(scope=Scope(study, "simulated", scramble), scorer=WordScorer())
    return runs.analyse_folder(snapshot.path, out)


def part(written: Written, name: str) -> tuple[str, str]:
    """Sentence and problem of one result."""
    parts = {p.id: p for section in written.document.sections for p in section.parts}
    return parts[name].sentence, parts[name].problem


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open() as file:
        return list(csv.DictReader(file))


def value(folder: Path, analysis: str, stratum: str, statistic: str) -> float:
    wanted = (analysis, stratum, statistic)
    found = [r for r in rows(folder) if (r["analysis"], r["stratum"], r["statistic"]) == wanted]
    assert len(found) == 1
    return float(found[0]["value"])


def whole(folder: Path) -> None:
    """Nothing undefined is printed anywhere."""
    for file in (folder / "report.html", folder / "results.csv", *folder.glob("figures/*.svg")):
        assert not re.search(r"\b(nan|NaN|inf|Infinity)\b|\bNone\b(?!,|</th>)", file.read_text())


def lock(study: Study) -> Study:
    return studies.act(study=studies.act(study=study, name="close"), name="lock")


def snapshot_folder(study: Study) -> Path:
    return runs.find_snapshot(study=study)[0]


def test_a_planted_effect_is_recovered_and_said_in_words(hailey: Study, tmp_path: Path) -> None:
    grow(hailey, Plant(people=80, effect=0.9))  # arms are drawn by a secret seed: the bounds hold for nearly any
    written = analysed(lock(hailey), tmp_path)
    low, high = (value(tmp_path, "primary", "difference", name) for name in ("low", "high"))
    assert abs((low + high) / 2 - 0.9) < 0.9 * (high - low)
    assert low > 0
    assert re.search(
        r"the Human \+ AI arm scored \d\.\d\d points higher on average than the Human only arm "
        r"\(95% CI \d\.\d\d to \d\.\d\d; p (< \.001|= \.00\d)\)",
        written.document.headline,
    )
    assert not any("not locked" in warning for warning in written.document.warnings)


def test_on_scrambled_arms_the_effect_is_gone_and_the_report_says_why(hailey: Study, tmp_path: Path) -> None:
    grow(hailey, Plant(people=50, effect=0.9))
    written = analysed(lock(hailey), tmp_path, scramble=3)
    assert value(tmp_path, "primary", "difference", "low") < 0.3
    assert any("scrambled arms (seed 3)" in warning for warning in written.document.warnings)
    assert "Human" not in written.document.headline


def test_the_primary_result_equals_participant_means_by_hand(hailey: Study, tmp_path: Path) -> None:
    grow(hailey, Plant(people=30, effect=0.5))
    written = analysed(hailey, tmp_path)
    data = dataset.load(snapshot_folder(hailey))
    means = data.replies.groupby(["arm", "participant"])["empathy"].mean().groupby("arm").mean()
    expected = means["B"] - means["A"]
    assert value(tmp_path, "sensitivity_unadjusted", "difference", "estimate") == pytest.approx(expected, abs=1e-9)
    assert part(written, "primary")[1] == ""


def test_csv_json_and_page_tell_the_same_numbers(hailey: Study, tmp_path: Path) -> None:
    grow(hailey, Plant(people=30, effect=0.5))
    written = analysed(hailey, tmp_path)
    table = rows(tmp_path)
    stored = json.loads((tmp_path / "results.json").read_text())
    assert [float(r["value"]) for r in table] == [n["value"] for n in stored["numbers"]]
    assert (
        {r["snapshot"] for r in table}
        == {stored["stamp"]["snapshot"]}
        == {read_manifest(snapshot_folder(hailey)).sha256}
    )
    assert all(r["plan"] and r["code"] and r["releases"] for r in table)
    estimate = value(tmp_path, "primary", "difference", "estimate")
    assert f"{abs(estimate):.2f}" in written.document.headline
    assert f"{abs(estimate):.2f}" in (tmp_path / "report.html").read_text()


def test_running_twice_gives_the_same_numbers_and_drawings(hailey: Study, tmp_path: Path) -> None:
    grow(hailey, Plant(people=24))
    analysed(hailey, tmp_path / "a")
    analysed(hailey, tmp_path / "b")
    for name in ("results.csv", "figures/primary.svg", "figures/mechanisms.svg"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_drawings_are_allowed_by_the_content_security_policy(hailey: Study, tmp_path: Path) -> None:
    grow(hailey, Plant(people=24))
    analysed(hailey, tmp_path)
    drawings = list((tmp_path / "figures").glob("*.svg"))
    assert {d.stem for d in drawings} == {"primary", "subgroup", "mechanisms", "surveys", "sensitivity"}
    for drawing in drawings:
        text = drawing.read_text()
        assert not re.search(r"style=|<style|<script|\son\w+=|href=", text)


def test_the_file_that_stands_alone_asks_nothing_of_the_network(hailey: Study, tmp_path: Path) -> None:
    grow(hailey, Plant(people=24))
    analysed(hailey, tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert "<style>" in text
    assert not re.search(r"<link|<script|<img|url\(|@import", text)


def test_the_flow_is_counted_from_everybody(hailey: Study, tmp_path: Path) -> None:
    grow(hailey, Plant(people=12))
    grow(hailey, Plant(people=3, seed=4, replies=4, finish=False))
    written = analysed(hailey, tmp_path)
    assert value(tmp_path, "flow", "all", "randomised") == 15
    allocated = sum(value(tmp_path, "flow", arm, "allocated") for arm in "AB")
    complete = sum(value(tmp_path, "flow", arm, "completed") for arm in "AB")
    assert (allocated, complete) == (15, 12)
    assert written.document.flow is not None


# --- Little or nothing to go by -------------------------------------------------------------


def test_one_participant_gives_a_report_of_reasons(hailey: Study, tmp_path: Path) -> None:
    grow(hailey, Plant(people=1))
    written = analysed(hailey, tmp_path)
    assert "Too few participants in arm" in written.document.headline
    problems = [p.problem for s in written.document.sections for p in s.parts if p.role == "primary"]
    assert all("Too few participants" in problem for problem in problems)
    whole(tmp_path)


def test_one_empty_arm_is_said(hailey: Study, tmp_path: Path) -> None:
    people = grow(hailey, Plant(people=24))
    snapshot, _ = take_snapshot(scope=Scope(hailey, "simulated"), scorer=WordScorer())
    arms = pd.read_parquet(snapshot.path / "participants.parquet").set_index("participant")["arm"]
    Reply.objects.filter(participant__in=[p for p in people if arms[p.code] == "B"]).delete()
    written = analysed(hailey, tmp_path)
    assert part(written, "primary")[1].startswith("Too few participants in arm B: 0")
    whole(tmp_path)


def test_nobody_wrote_and_nobody_finished(hailey: Study, tmp_path: Path) -> None:
    grow(hailey, Plant(people=14, replies=0, finish=False))
    written = analysed(hailey, tmp_path)
    assert "Too few participants" in part(written, "primary")[1]
    assert "Too few participants" in part(written, "confidence_change")[1]
    assert part(written, "levels")[1] == "No reply has been submitted yet."
    whole(tmp_path)


def test_missing_surveys_afterwards_leave_the_replies_analysed(hailey: Study, tmp_path: Path) -> None:
    grow(hailey, Plant(people=24, finish=False))
    written = analysed(hailey, tmp_path)
    assert part(written, "primary")[0]
    assert "Too few participants" in part(written, "self_efficacy")[1]


def test_everybody_scoring_the_same_is_said(hailey: Study, tmp_path: Path) -> None:
    grow(hailey, Plant(people=24, flat=True))
    written = analysed(hailey, tmp_path)
    assert "same value" in part(written, "primary")[1]
    whole(tmp_path)


def test_all_scores_zero_leave_no_ratio(hailey: Study, tmp_path: Path) -> None:
    grow(hailey, Plant(people=24))
    Reply.objects.update(text="well")
    written = analysed(hailey, tmp_path)
    assert "above 0" in part(written, "primary_ratio")[1]
    whole(tmp_path)


def test_what_one_arm_alone_is_asked_is_held_back_until_the_lock(hailey: Study, tmp_path: Path) -> None:
    grow(hailey, Plant(people=24))
    before = analysed(hailey, tmp_path / "before")
    after = analysed(lock(hailey), tmp_path / "after")
    assert "held back" in part(before, "helpful")[1]
    assert "held back" in part(before, "exposure")[1]
    assert re.search(r"\d+ of \d+ who answered agreed", part(after, "helpful")[0])
    assert "not an effect" in part(after, "helpful")[0]


def test_answers_that_make_no_sense_are_missing_not_wrong(hailey: Study, tmp_path: Path) -> None:
    grow(hailey, Plant(people=24))
    for response in SurveyResponse.objects.filter(survey="post"):
        response.answers |= {"effort": "lots", "confidence": None, "authenticity": True}
        response.save()
    written = analysed(hailey, tmp_path)
    for name in ("effort", "confidence", "authenticity"):
        assert "Too few participants" in part(written, name)[1]
