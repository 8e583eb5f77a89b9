"""Allocation as mathematics: draws, blocks, weights, and a ledger that cannot be bent unseen."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trial import ledger
from trial.ledger import LedgerError, Row, replay, verify_document
from trial.randomisation import (
    GENERATOR,
    METHODS,
    Choice,
    History,
    Plan,
    choose,
    commitment,
    draw,
    stratum_text,
)

SEED = bytes(range(32))
ARMS = (("a1", 1), ("a0", 1))
STRATIFIED = Plan("kind-words", "stratified_blocks", ARMS, ("pre.difficulty",), (4, 6))
EASY, HARD = "pre.difficulty=easy", "pre.difficulty=hard"

seeds = st.binary(min_size=32, max_size=32)
weights = st.lists(st.integers(1, 4), min_size=2, max_size=4)


@st.composite
def plans(draw_: st.DrawFn, method: str = "permuted_blocks") -> Plan:
    arms = tuple((f"a{n}", weight) for n, weight in enumerate(draw_(weights)))
    total = sum(weight for _, weight in arms)
    times = draw_(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    return Plan("kind-words", method, arms, (), tuple(total * n for n in times))


def allocate(seed: bytes, plan: Plan, strata: list[str]) -> list[Choice]:
    counts: dict[str, dict[str, int]] = {}
    choices = []
    for stratum in strata:
        choice = choose(seed, plan, History(counts), stratum)
        arms = counts.setdefault(stratum, {})
        arms[choice.arm] = arms.get(choice.arm, 0) + 1
        choices.append(choice)
    return choices


def chain(seed: bytes, plan: Plan, strata: list[str], genesis: str = "0" * 64) -> list[Row]:
    rows: list[Row] = []
    for n, (stratum, choice) in enumerate(zip(strata, allocate(seed, plan, strata), strict=True), 1):
        previous = rows[-1].hash if rows else genesis
        row = Row(plan.study, n, f"P{n}", stratum, choice.arm, choice.inputs, f"T{n}", previous)
        rows.append(replace(row, hash=row.digest()))
    return rows


def rehashed(rows: list[Row]) -> list[Row]:
    """What a forger who may recompute every hash would leave."""
    out: list[Row] = []
    for row in rows:
        linked = replace(row, previous_hash=out[-1].hash if out else row.previous_hash)
        out.append(replace(linked, hash=linked.digest()))
    return out


def places(rows: list[Row], plan: Plan = STRATIFIED, seed: bytes = SEED) -> list[int]:
    return [d.position for d in replay(seed, plan, rows, genesis="0" * 64)]


# --- Draws and seal -----------------------------------------------------------------------


def test_the_draws_of_this_generator_never_change() -> None:
    """Pinned: a trial allocated under this generator must replay for ever (docs/allocation.md)."""
    assert GENERATOR == "attune-hmac-sha256-1"
    assert draw(SEED, "hailey", HARD, 0) == 0.015009284632683695
    arms = [choice.arm for choice in allocate(SEED, STRATIFIED, [HARD] * 12)]
    assert "".join(arm[1] for arm in arms) == "000111001101"
    assert commitment(SEED, "ab" * 32) == "8e17113c650c0f060fff4a8f8c4f94fc3f15ec696406e1f0e1cc6cfeaed7b082"


@given(seed=seeds, study=st.text(max_size=20), stratum=st.text(max_size=20), counter=st.integers(0, 10**9))
def test_a_draw_is_in_the_unit_interval_and_the_same_each_time(
    seed: bytes, study: str, stratum: str, counter: int
) -> None:
    first = draw(seed, study, stratum, counter)
    assert 0 <= first < 1
    assert first == draw(seed, study, stratum, counter)


def test_every_part_of_a_draws_place_matters() -> None:
    base = (SEED, "hailey", "x", 1)
    others = [
        (bytes(32), "hailey", "x", 1),
        (SEED, "other", "x", 1),
        (SEED, "hailey", "y", 1),
        (SEED, "hailey", "x", 2),
    ]
    assert len({draw(*place) for place in [base, *others]}) == 5


def test_draws_are_uniform() -> None:
    """Chi-squared over 20 cells, 20,000 draws: 43.8 is the 0.999 point on 19 degrees of freedom."""
    cells = Counter(int(draw(SEED, "hailey", "", n) * 20) for n in range(20_000))
    assert sum((cells[c] - 1000) ** 2 / 1000 for c in range(20)) < 43.8


@given(seed=seeds, other=seeds)
def test_the_commitment_fits_only_the_right_seed(seed: bytes, other: bytes) -> None:
    published = commitment(seed, "ab" * 32)
    assert ledger.verify_seal(seed, "ab" * 32, GENERATOR, published) == []
    assert bool(ledger.verify_seal(other, "ab" * 32, GENERATOR, published)) == (other != seed)
    assert ledger.verify_seal(seed, "cd" * 32, GENERATOR, published)
    assert len(ledger.verify_seal(seed, "ab" * 32, "another-2", published)) == 2


# --- Methods ------------------------------------------------------------------------------


@given(seed=seeds, plan=plans(), count=st.integers(1, 60))
def test_every_completed_block_holds_the_exact_weights(seed: bytes, plan: Plan, count: int) -> None:
    choices = allocate(seed, plan, [""] * count)
    blocks: dict[int, list[Choice]] = {}
    for choice in choices:
        blocks.setdefault(choice.inputs["block"], []).append(choice)
    assert list(blocks) == list(range(1, len(blocks) + 1))
    for number, block in blocks.items():
        size = block[0].inputs["size"]
        assert size in plan.block_sizes
        assert [c.inputs["place"] for c in block] == list(range(1, len(block) + 1))
        assert len(block) == size or number == len(blocks)
        dealt = Counter(c.arm for c in block)
        for arm, weight in plan.arms:
            share = size // plan.weight * weight
            assert dealt[arm] == share if len(block) == size else dealt[arm] <= share


@given(seed=seeds, plan=plans(), count=st.integers(1, 40))
def test_the_recorded_probability_is_what_is_left_in_the_block(seed: bytes, plan: Plan, count: int) -> None:
    left: Counter[str] = Counter()
    for choice in allocate(seed, plan, [""] * count):
        if choice.inputs["place"] == 1:
            times = choice.inputs["size"] // plan.weight
            left = Counter({arm: weight * times for arm, weight in plan.arms})
        shares = {arm: Fraction(text) for arm, text in choice.inputs["probability"].items()}
        assert shares == {arm: Fraction(left[arm], left.total()) for arm, _ in plan.arms}
        assert shares[choice.arm] > 0
        left[choice.arm] -= 1


@given(seed=seeds, plan=plans(), count=st.integers(0, 40), data=st.data())
def test_the_same_seed_gives_the_same_arms_and_a_prefix_never_changes(
    seed: bytes, plan: Plan, count: int, data: st.DataObject
) -> None:
    all_of_them = allocate(seed, plan, [""] * count)
    shorter = data.draw(st.integers(0, count))
    assert allocate(seed, plan, [""] * shorter) == all_of_them[:shorter]


@given(seed=seeds, strata=st.lists(st.sampled_from([EASY, HARD]), max_size=40))
def test_strata_are_allocated_as_if_each_were_alone(seed: bytes, strata: list[str]) -> None:
    together = allocate(seed, STRATIFIED, strata)
    for stratum in (EASY, HARD):
        mine = [c for s, c in zip(strata, together, strict=True) if s == stratum]
        assert mine == allocate(seed, STRATIFIED, [stratum] * len(mine))


@given(seed=seeds, strata=st.lists(st.sampled_from([EASY, HARD]), max_size=60))
def test_arms_of_a_stratum_never_differ_by_more_than_half_a_block(seed: bytes, strata: list[str]) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for stratum, choice in zip(strata, allocate(seed, STRATIFIED, strata), strict=True):
        counts[stratum, choice.arm] += 1
        assert abs(counts[stratum, "a1"] - counts[stratum, "a0"]) <= 3


def test_every_order_of_a_block_is_about_equally_likely() -> None:
    """Six orders of a block of four, 6,000 seeds: 20.5 is the 0.999 point on 5 degrees of freedom."""
    plan = replace(STRATIFIED, block_sizes=(4,))
    orders = Counter("".join(c.arm for c in allocate(n.to_bytes(32, "big"), plan, [HARD] * 4)) for n in range(6_000))
    assert len(orders) == 6
    assert sum((seen - 1000) ** 2 / 1000 for seen in orders.values()) < 20.5


def test_block_sizes_are_drawn_about_equally_often() -> None:
    choices = allocate(SEED, STRATIFIED, [HARD] * 1_500)
    opened = Counter(c.inputs["size"] for c in choices if c.inputs["place"] == 1)
    assert opened[4] / opened.total() == pytest.approx(0.5, abs=0.1)


def test_simple_allocation_respects_the_weights() -> None:
    plan = Plan("kind-words", "simple", (("a1", 2), ("a0", 1), ("a2", 3)))
    arms = Counter(choice.arm for choice in allocate(SEED, plan, [""] * 6_000))
    for arm, weight in plan.arms:
        assert arms[arm] / 6_000 == pytest.approx(weight / 6, abs=0.025)


def test_simple_allocation_ignores_what_came_before() -> None:
    plan = Plan("kind-words", "simple", ARMS)
    balanced, lopsided = History({"": {"a1": 5, "a0": 5}}), History({"": {"a1": 10}})
    assert choose(SEED, plan, balanced, "").arm == choose(SEED, plan, lopsided, "").arm


@pytest.mark.parametrize("method", sorted(METHODS))
def test_inputs_are_texts_and_whole_numbers_so_that_any_language_hashes_them_alike(method: str) -> None:
    def parts(value: Any) -> list[Any]:
        if isinstance(value, dict | list):
            inner = value.values() if isinstance(value, dict) else value
            return [part for item in inner for part in parts(item)]
        return [value]

    plan = replace(STRATIFIED, method=method)
    for choice in allocate(SEED, plan, [HARD] * 12):
        assert {type(part) for part in parts(choice.inputs)} <= {str, int}
        assert json.loads(json.dumps(choice.inputs)) == choice.inputs


def test_a_stratum_has_one_spelling() -> None:
    assert stratum_text([("pre.difficulty", "hard"), ("pre.age", "old")]) == "pre.difficulty=hard;pre.age=old"
    assert stratum_text([]) == ""


# --- Ledger -------------------------------------------------------------------------------

STRATA = [EASY, HARD, HARD, EASY, HARD, EASY, EASY, HARD, HARD, HARD, EASY, EASY]


def test_an_honest_ledger_replays_without_a_difference() -> None:
    assert places(chain(SEED, STRATIFIED, STRATA)) == []


def test_another_seed_does_not_replay() -> None:
    assert places(chain(SEED, STRATIFIED, STRATA), seed=bytes(32))


FIELDS = {
    "participant": "SOMEBODY",
    "arm": "a9",
    "at": "another day",
    "inputs": {},
    "study": "another",
    "stratum": "pre.age=old",
    "previous_hash": "1" * 64,
    "hash": "1" * 64,
}


@given(at=st.integers(0, len(STRATA) - 1), field=st.sampled_from(sorted(FIELDS)))
def test_changing_one_fact_breaks_the_chain_at_that_row(at: int, field: str) -> None:
    rows = chain(SEED, STRATIFIED, STRATA)
    rows[at] = replace(rows[at], **{field: FIELDS[field]})
    assert places(rows)[0] == at + 1


@given(at=st.integers(0, len(STRATA) - 1))
def test_a_changed_arm_is_named_alone_even_by_a_forger_who_hashes_again(at: int) -> None:
    rows = chain(SEED, STRATIFIED, STRATA)
    other = "a0" if rows[at].arm == "a1" else "a1"
    rows[at] = replace(rows[at], arm=other)
    assert set(places(rows)) == {at + 1}
    assert set(places(rehashed(rows))) == {at + 1}


@given(at=st.integers(0, len(STRATA) - 2))
def test_no_position_can_be_skipped(at: int) -> None:
    rows = chain(SEED, STRATIFIED, STRATA)
    assert at + 2 in places(rows[:at] + rows[at + 1 :])
    assert at + 2 in places(rehashed(rows[:at] + rows[at + 1 :]))


def test_two_rows_cannot_be_swapped() -> None:
    rows = chain(SEED, STRATIFIED, STRATA)
    rows[2], rows[3] = rows[3], rows[2]
    assert places(rows)


def test_nobody_is_allocated_twice() -> None:
    rows = chain(SEED, STRATIFIED, STRATA)
    rows[5] = replace(rows[5], participant="P1")
    assert 6 in places(rehashed(rows))


def test_a_difference_never_names_an_arm() -> None:
    rows = chain(SEED, STRATIFIED, STRATA)
    rows[0] = replace(rows[0], arm="a0" if rows[0].arm == "a1" else "a1", stratum="pre.age=old")
    told = " ".join(str(d) for d in replay(SEED, STRATIFIED, rows, genesis="0" * 64))
    assert "a0" not in told
    assert "a1" not in told


@settings(deadline=None)
@given(count=st.integers(0, 30))
def test_a_long_ledger_replays_as_it_was_made(count: int) -> None:
    plan = replace(STRATIFIED, method="permuted_blocks", strata=())
    assert places(chain(SEED, plan, [""] * count), plan) == []


# --- The exported file --------------------------------------------------------------------

PROTOCOL = {
    "slug": "kind-words",
    "arms": [{"code": "a1", "weight": 1}, {"code": "a0", "weight": 1}],
    "allocation": {"method": "stratified_blocks", "strata": ["pre.difficulty"], "block_sizes": [4, 6]},
}


def document() -> dict[str, Any]:
    digest = ledger.sha256_of(PROTOCOL)
    published = commitment(SEED, digest)
    return {
        "format": ledger.FORMAT,
        "study": "kind-words",
        "generator": GENERATOR,
        "commitment": published,
        "protocol_sha256": digest,
        "seed": SEED.hex(),
        "protocol": PROTOCOL,
        "rows": [vars(row) for row in chain(SEED, STRATIFIED, STRATA, published)],
    }


def test_a_file_is_verified_from_itself_alone() -> None:
    assert verify_document(json.loads(json.dumps(document()))) == []


@pytest.mark.parametrize(
    "change",
    [
        {"seed": bytes(32).hex()},
        {"commitment": "0" * 64},
        {"protocol_sha256": "0" * 64},
        {"generator": "another-2"},
        {"study": "another"},
        {"protocol": {**PROTOCOL, "allocation": {**PROTOCOL["allocation"], "block_sizes": [4]}}},  # type: ignore[dict-item]
    ],
)
def test_a_file_with_another_seal_is_told(change: dict[str, Any]) -> None:
    differences = verify_document({**document(), **change})
    assert 0 in {difference.position for difference in differences}


@pytest.mark.parametrize(
    "bad",
    [
        None, [], {}, {"format": "another"},
        {"rows": None}, {"rows": [{}]}, {"rows": ["x"]}, {"rows": [{"position": 1, "extra": 2}]},
        {"seed": "not hex"}, {"seed": None}, {"protocol": {}}, {"protocol": None},
        {"protocol": {**PROTOCOL, "arms": []}},
        {"protocol": {**PROTOCOL, "allocation": {"method": "dice", "strata": [], "block_sizes": []}}},
        {"protocol": {**PROTOCOL, "allocation": {"method": "simple", "strata": 3, "block_sizes": []}}},
        {"protocol": {**PROTOCOL, "allocation": {**PROTOCOL["allocation"], "block_sizes": [0]}}},  # type: ignore[dict-item]
    ],
)  # fmt: skip
def test_a_file_that_is_no_ledger_is_refused_in_words(bad: Any) -> None:
    whole = {**document(), **bad} if isinstance(bad, dict) and bad else bad
    with pytest.raises(LedgerError):
        verify_document(whole)


def test_an_outsider_needs_only_three_files_and_python(tmp_path: Path) -> None:
    package = tmp_path / "trial"
    package.mkdir()
    for name in ("ledger", "randomisation", "canonical"):
        source = Path(__file__).parents[2] / "trial" / f"{name}.py"
        (package / f"{name}.py").write_bytes(source.read_bytes())
    (tmp_path / "ledger.json").write_text(json.dumps(document()))
    run = subprocess.run(
        [sys.executable, "-S", "-m", "trial.ledger", "ledger.json"],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == "12 allocations replayed, 0 differences\n"


def test_the_outsiders_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ledger.json"
    assert ledger.main([]) == 2
    assert ledger.main([str(file)]) == 2
    file.write_text("{")
    assert ledger.main([str(file)]) == 2
    bent = document()
    bent["rows"][3]["arm"] = "a9"
    file.write_text(json.dumps(bent))
    assert ledger.main([str(file)]) == 1
    assert "position 4: was changed" in capsys.readouterr().out
