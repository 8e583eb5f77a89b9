"""The HAILEY folder is accepted as it stands; a broken one is refused with file, place and reason."""

from __future__ import annotations

import csv
import io
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from ml.safety import crisis
from trial.protocol import Item, Protocol, ProtocolError, parse_protocol, read_protocol

HAILEY = Path(settings.BASE_DIR) / "protocols" / "hailey"


@pytest.fixture(scope="module")
def hailey_protocol() -> Protocol:
    return read_protocol(HAILEY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the HAILEY folder to break."""
    return Path(shutil.copytree(HAILEY, tmp_path / "hailey"))


def change(file: Path, old: str, new: str) -> None:
    """Replace the first occurrence; the file must have one, or the test would test nothing."""
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def refusal(folder: Path) -> tuple[str, str, str]:
    """File name, place and reason with which a folder is refused."""
    with pytest.raises(ProtocolError) as caught:
        read_protocol(folder)
    error = caught.value
    assert error.code == "invalid_protocol"
    assert error.reason in str(error)
    return Path(error.file).name, error.place, error.reason


def lines_of(file: Path) -> int:
    """The line on which the last CSV row ends."""
    reader = csv.reader(io.StringIO(file.read_text(encoding="utf-8")))
    list(reader)
    return reader.line_num


# --- HAILEY as it stands ------------------------------------------------------------------


def test_the_hailey_folder_is_accepted(hailey_protocol: Protocol) -> None:
    assert (hailey_protocol.slug, hailey_protocol.version) == ("hailey", "1.2")
    assert {a.code: (a.intervention, a.reference) for a in hailey_protocol.arms} == {
        "a1": ("feedback", False),
        "a0": ("none", True),
    }
    assert hailey_protocol.writing.per_participant == 10


def test_the_hash_does_not_depend_on_who_reads_or_when(hailey_protocol: Protocol) -> None:
    assert read_protocol(HAILEY).sha256 == hailey_protocol.sha256


def test_a_stored_document_has_the_hash_of_the_folder(hailey_protocol: Protocol) -> None:
    stored = parse_protocol(hailey_protocol.model_dump(mode="json"))
    assert stored == hailey_protocol
    assert stored.sha256 == hailey_protocol.sha256


def test_any_change_of_a_text_changes_the_hash(folder: Path, hailey_protocol: Protocol) -> None:
    change(folder / "training" / "intro.md", "felt", "seen")
    assert read_protocol(folder).sha256 != hailey_protocol.sha256


def test_there_are_posts_enough_on_topics_enough(hailey_protocol: Protocol) -> None:
    topics = Counter(post.topic for post in hailey_protocol.posts)
    assert len(hailey_protocol.posts) >= 60
    assert len(topics) >= 12
    assert min(topics.values()) >= 3
    assert len({post.text for post in hailey_protocol.posts}) == len(hailey_protocol.posts)


def test_posts_vary_in_length_and_stay_readable(hailey_protocol: Protocol) -> None:
    words = sorted(len(post.text.split()) for post in hailey_protocol.posts)
    assert 8 <= words[0] <= 15
    assert 90 <= words[-1] <= 130
    assert any(post.text.islower() for post in hailey_protocol.posts)


def test_no_post_is_caught_by_the_crisis_screen(hailey_protocol: Protocol) -> None:
    caught = {post.code: crisis.screen(post.text) for post in hailey_protocol.posts}
    assert [code for code, hit in caught.items() if hit] == []


def test_every_country_has_an_emergency_number_and_a_resource_with_source_and_date(
    hailey_protocol: Protocol,
) -> None:
    countries = hailey_protocol.crisis.countries
    assert len({country.code for country in countries}) == len(countries) >= 14
    for country in countries:
        assert any(character.isdigit() for character in country.emergency)
        for resource in country.resources:
            assert resource.source.startswith("https://")
            assert resource.checked.startswith("202")


def test_every_country_of_the_survey_has_crisis_resources_and_back(hailey_protocol: Protocol) -> None:
    asked = {option.value for option in hailey_protocol.survey("pre").item("country").options}
    assert asked - {"other", "not_said"} == {c.code.lower() for c in hailey_protocol.crisis.countries}


def test_difficulty_is_the_stratum_and_has_two_values(hailey_protocol: Protocol) -> None:
    assert hailey_protocol.allocation.strata == ("pre.difficulty",)
    item = hailey_protocol.stratum_item("pre.difficulty")
    assert [option.value for option in item.options] == ["challenging", "not_challenging"]
    assert item.required


def test_the_scale_is_the_same_before_and_after_with_one_item_reversed(hailey_protocol: Protocol) -> None:
    before, after = (hailey_protocol.survey(key) for key in ("pre", "post"))
    assert before.scales == after.scales
    assert {s.code for s in before.scales} == {"self_efficacy"}
    items = [before.item(code) for code in before.scales[0].items]
    assert items == [after.item(code) for code in before.scales[0].items]
    assert sum(item.reverse for item in items) == 1


def test_only_the_feedback_arm_is_asked_about_feedback(hailey_protocol: Protocol) -> None:
    def asked(intervention: str) -> set[str]:
        return {i.code for i in hailey_protocol.survey("post").items if i.shown_to(intervention)}

    assert asked("feedback") - asked("none") == {"helpful", "actionable", "deploy", "feedback_words"}
    assert asked("none") <= asked("feedback")


def test_every_training_page_has_a_check_with_an_explanation(hailey_protocol: Protocol) -> None:
    assert [page.code for page in hailey_protocol.training] == [
        "intro",
        "emotional_reactions",
        "interpretations",
        "explorations",
    ]
    assert all(page.check and page.check.explanation for page in hailey_protocol.training)


@pytest.mark.parametrize("words", ["Human + AI", "Human only", "treatment", "control group"])
def test_no_page_before_the_debrief_names_an_arm(hailey_protocol: Protocol, words: str) -> None:
    pages = [hailey_protocol.consent.document, hailey_protocol.instructions.document]
    pages += [page.document for page in hailey_protocol.training]
    pages += [item.text for key in ("screening", "pre") for item in hailey_protocol.survey(key).items]
    assert [page for page in pages if words.lower() in page.lower().replace("is not treatment", "")] == []


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"safe": "not_safe"}, "somebody be there for you"),
        ({"safe": "unsure"}, "somebody be there for you"),
        ({"age": 17}, "18 or over"),
        ({"english": "hardly"}, "in English"),
        ({"peer_support": "not_interested"}, "support others"),
        ({}, ""),
    ],
)
def test_eligibility_turns_people_away_with_the_reason_that_fits(
    hailey_protocol: Protocol, answers: dict[str, Any], reason: str
) -> None:
    given = {"age": 18, "english": "very", "peer_support": "interested", "safe": "safe"} | answers
    unmet = [r for r in hailey_protocol.eligibility.rules if not r.met_by(given[r.item])]
    assert len(unmet) == bool(answers)
    assert all(reason in rule.reason and rule.safety == (rule.item == "safe") for rule in unmet)


# --- Refusals: protocol.yaml --------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "place", "reason"),
    [
        ("target: 300", "target: 300\ncolour: blue", "colour", "Extra inputs are not permitted"),
        ("gate: 2.8", "gate: 2.8\n  gates: 5", "feedback.gates", "Extra inputs are not permitted"),
        ("target: 300", "target: many", "target", "valid integer"),
        ("gate: 2.8", "gate: 7.5", "feedback.gate", "less than or equal to 6"),
        ("debrief: debrief.md", "", "debrief", "Field required"),
        ("block_sizes: [4, 6]", "block_sizes: [4, 5]", "", "block size 5 is no multiple"),
        ("block_sizes: [4, 6]", "block_sizes: [0]", "allocation.block_sizes.0", "greater than or equal to 1"),
        ("block_sizes: [4, 6]", "block_sizes: []", "allocation", "block methods need block_sizes"),
        ("[pre.difficulty]", "[pre.courage]", "", "stratum pre.courage is no single-choice item"),
        ("[pre.difficulty]", "[pre.confidence]", "", "stratum pre.confidence is no single-choice item"),
        (
            "intervention: feedback}",
            "intervention: feedback, reference: true}",
            "",
            "one arm is the reference",
        ),
        ("intervention: none, reference: true", "intervention: none", "", "one arm is the reference"),
        ("code: a1", "code: a0", "", "arm a0 is given twice"),
        ("    - item: age", "    - item: height", "eligibility", "rule on unknown item height"),
        ("values: [very, mostly]", "values: [fluent]", "eligibility", "fluent is none of its options"),
        ("      minimum: 18\n", "", "eligibility.rules.1", "give either minimum or values"),
        ("interventions: [feedback]", "interventions: [feedbak]", "", "no arm has the intervention feedbak"),
        ("feedback: instructions-f", "chat: instructions-f", "", "no arm has the intervention chat"),
        ("correct: somewhat", "correct: perhaps", "surveys.pre.items.12", "attention needs options"),
        ("answer: about_them", "answer: nobody", "training.0.check", "is not among the options"),
        ("items: [se_words,", "items: [se_wrods,", "surveys.pre", "se_wrods is no likert item"),
        ("per_participant: 10", "per_participant: 100", "", "100 posts each, but only"),
        ('version: "1.2"', "version: 1.2", "version", "valid string"),
    ],
)
def test_a_protocol_that_breaks_the_schema_is_refused(
    folder: Path, old: str, new: str, place: str, reason: str
) -> None:
    change(folder / "protocol.yaml", old, new)
    file, where, why = refusal(folder)
    assert (file, where) == ("protocol.yaml", place)
    assert reason in why


def test_bad_yaml_is_refused_with_its_line(folder: Path) -> None:
    change(folder / "protocol.yaml", "target: 300", "target: [300")
    line = (folder / "protocol.yaml").read_text(encoding="utf-8").split("expected_minutes")[0].count("\n") + 1
    file, place, reason = refusal(folder)
    assert (file, place) == ("protocol.yaml", f"line {line}")
    assert "is not YAML" in reason


def test_a_key_given_twice_is_refused_with_its_line(folder: Path) -> None:
    change(folder / "protocol.yaml", "target: 300", "target: 300\ntarget: 30")
    line = (folder / "protocol.yaml").read_text(encoding="utf-8").split("target: 30\n")[0].count("\n") + 1
    assert refusal(folder) == ("protocol.yaml", f"line {line}", "is not YAML: target is given twice")


@pytest.mark.parametrize("text", ["", "- hailey\n", "hailey"])
def test_a_protocol_that_is_no_mapping_is_refused(folder: Path, text: str) -> None:
    (folder / "protocol.yaml").write_text(text, encoding="utf-8")
    assert refusal(folder) == ("protocol.yaml", "", "must be a mapping")


def test_a_control_character_is_refused(folder: Path) -> None:
    change(folder / "protocol.yaml", "target: 300", "target: 300\0")
    file, _, reason = refusal(folder)
    assert file == "protocol.yaml"
    assert "is not YAML" in reason


def test_plain_values_only_are_read(folder: Path) -> None:
    change(folder / "protocol.yaml", "target: 300", "target: !!python/object/apply:os.getpid []")
    file, place, reason = refusal(folder)
    assert (file, place[:5]) == ("protocol.yaml", "line ")
    assert "could not determine a constructor" in reason


# --- Refusals: the other files ------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "protocol.yaml",
        "consent.md",
        "instructions.md",
        "instructions-feedback.md",
        "debrief.md",
        "training/explorations.md",
        "posts.csv",
        "crisis.yaml",
        "sap.yaml",
    ],
)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert refusal(folder) == (Path(name).name, "", "no such file")


@pytest.mark.parametrize("name", ["consent.md", "posts.csv", "crisis.yaml"])
def test_a_file_that_is_not_utf8_is_refused_with_the_byte(folder: Path, name: str) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:40] + b"\xff" + data[40:])
    assert refusal(folder) == (name, "byte 40", "is not UTF-8")


def test_a_folder_in_place_of_a_file_is_refused(folder: Path) -> None:
    (folder / "consent.md").unlink()
    (folder / "consent.md").mkdir()
    file, _, reason = refusal(folder)
    assert file == "consent.md"
    assert "cannot be read" in reason


def test_an_empty_text_is_refused(folder: Path) -> None:
    (folder / "consent.md").write_text(" \n", encoding="utf-8")
    file, place, reason = refusal(folder)
    assert (file, place) == ("protocol.yaml", "consent.document")
    assert "at least 1 character" in reason


def test_a_byte_order_mark_as_spreadsheets_write_it_does_no_harm(folder: Path, hailey_protocol: Protocol) -> None:
    posts = folder / "posts.csv"
    posts.write_bytes(b"\xef\xbb\xbf" + posts.read_bytes())
    assert read_protocol(folder).sha256 == hailey_protocol.sha256


def test_posts_with_other_columns_are_refused(folder: Path) -> None:
    change(folder / "posts.csv", "code,topic,risk,text", "code,topic,text")
    assert refusal(folder) == ("posts.csv", "line 1", "columns must be code, topic, risk, text")


@pytest.mark.parametrize(
    ("row", "place", "reason"),
    [
        ("work-99,work stress,low", "", "must have 4 columns"),
        ("work-99,work stress,low,text,more", "", "must have 4 columns"),
        ("work-01,work stress,low,Again.", "", "post work-01 is given twice"),
        ("work-99,work stress,severe,Text.", ", risk", "Input should be 'low' or 'moderate'"),
        ("work-99,work stress,low, ", ", text", "String should have at least 1 character"),
        ("Work 99,work stress,low,Text.", ", code", "String should match pattern '^[a-z0-9_-]{1,40}$'"),
        ('work-99,work stress,low,"open', "", "unexpected end of data"),
    ],
)
def test_a_bad_row_of_posts_is_refused_with_its_line(folder: Path, row: str, place: str, reason: str) -> None:
    posts = folder / "posts.csv"
    line = lines_of(posts) + 1
    with posts.open("a", encoding="utf-8") as file:
        file.write(row + "\n")
    assert refusal(folder) == ("posts.csv", f"line {line}{place}", reason)


@pytest.mark.parametrize(
    ("old", "new", "place", "reason"),
    [
        ('code: "AR"', 'code: "Argentina"', "crisis.countries.0.code", "match pattern"),
        ('        checked: "2026-11"\n', "", "crisis.countries.0.resources.0.checked", "Field required"),
        ('emergency: "000"', "emergency: 000", "crisis.countries.1.emergency", "valid string"),
    ],
)
def test_bad_crisis_resources_are_refused(folder: Path, old: str, new: str, place: str, reason: str) -> None:
    change(folder / "crisis.yaml", old, new)
    file, where, why = refusal(folder)
    assert (file, where) == ("crisis.yaml", place)
    assert reason in why


def test_a_resource_that_cannot_be_reached_is_refused(folder: Path) -> None:
    text = (folder / "crisis.yaml").read_text(encoding="utf-8")
    keep = [line for line in text.splitlines() if not line.strip().startswith(("url:", "phone:", "text:"))]
    (folder / "crisis.yaml").write_text("\n".join(keep), encoding="utf-8")
    file, place, reason = refusal(folder)
    assert (file, place) == ("crisis.yaml", "crisis.finder")
    assert "needs a phone, a text number or a url" in reason


# --- Items --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"kind": "single"}, "needs at least two options"),
        ({"kind": "likert"}, "needs low and high anchors"),
        ({"kind": "single", "options": [{"value": "a", "label": "A"}] * 2}, "option a is given twice"),
    ],
)
def test_an_item_that_nobody_could_answer_is_refused(parts: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Item.model_validate({"code": "mood", "text": "How are you?", **parts})
