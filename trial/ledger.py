"""The ledger of allocations: how its rows are chained, and how anybody replays it from a file.

Pure, like `trial/randomisation.py`: `python -m trial.ledger FILE.json` needs Python and these
two files with `trial/canonical.py`, and neither a database nor an installed package.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from trial import randomisation
from trial.canonical import canonical_json
from trial.randomisation import METHODS, Choice, Draws, History, Plan

FORMAT = "attune-ledger-1"


class LedgerError(Exception):
    """A file that is no ledger, and why."""

    code = "invalid_ledger"


@dataclass(frozen=True)
class Row:
    """One allocation as it is hashed: `at` in UTC, `inputs` as recorded."""

    study: str
    position: int
    participant: str
    stratum: str
    arm: str
    inputs: dict[str, Any]
    at: str
    previous_hash: str
    hash: str = ""

    def digest(self) -> str:
        """SHA-256 over the canonical JSON of everything but the hash itself."""
        facts = asdict(self)
        del facts["hash"]
        return hashlib.sha256(canonical_json(facts).encode()).hexdigest()


@dataclass(frozen=True)
class Difference:
    """Where a replay and the ledger part; position 0 is the seal. It never names an arm."""

    position: int
    reason: str

    def __str__(self) -> str:
        return f"position {self.position}: {self.reason}" if self.position else f"seal: {self.reason}"


def plan_of(protocol: Mapping[str, Any]) -> Plan:
    """The allocation plan of a protocol document.

    Raises:
        LedgerError: the document has none, or one that this generator does not know.
    """
    try:
        allocation = protocol["allocation"]
        plan = Plan(
            study=str(protocol["slug"]),
            method=str(allocation["method"]),
            arms=tuple((str(arm["code"]), int(arm["weight"])) for arm in protocol["arms"]),
            strata=tuple(allocation["strata"]),
            block_sizes=tuple(int(size) for size in allocation["block_sizes"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerError(f"the protocol has no readable allocation plan: {error!r}") from error
    if plan.method not in METHODS or not _sizes_fit(plan):
        raise LedgerError(f"the plan {plan.method!r} is none that this generator can follow")
    return plan


def replay(seed: bytes, plan: Plan, rows: Iterable[Row], *, genesis: str) -> list[Difference]:
    """Allocate everybody again from the seed and compare; `genesis` is the published commitment.

    The history is that of the replay, so a row that was changed afterwards is named alone.
    """
    counts: dict[str, dict[str, int]] = {}
    draws = _replayed_draws(seed, plan.study)
    method = METHODS[plan.method](plan)
    differences: list[Difference] = []
    for row, faults in _chained(rows, plan, genesis):
        choice = method.choose(History(counts), row.stratum, draws(row.stratum))
        reasons = [*faults, *_departures(row, choice)]
        differences += [Difference(row.position, reason) for reason in reasons]
        arms = counts.setdefault(row.stratum, {})
        arms[choice.arm] = arms.get(choice.arm, 0) + 1
    return differences


def verify_seal(seed: bytes, protocol_sha256: str, generator: str, published: str) -> list[Difference]:
    """Whether the seed is the one that was committed to, and this code the one that drew."""
    found = []
    if generator != randomisation.GENERATOR:
        found.append(Difference(0, f"drawn by {generator!r}; this code is {randomisation.GENERATOR!r}"))
    if not hmac.compare_digest(randomisation.commitment(seed, protocol_sha256, generator), published):
        found.append(Difference(0, "the seed and the protocol do not give the published commitment"))
    return found


def verify_document(document: Any) -> list[Difference]:
    """Verify an exported ledger from itself alone.

    Raises:
        LedgerError: it is no ledger of a known format.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise LedgerError(f"not a ledger in the format {FORMAT}")
    try:
        seed = bytes.fromhex(document["seed"])
        sealed = (document["protocol_sha256"], document["generator"], document["commitment"])
        protocol, rows = document["protocol"], [Row(**row) for row in document["rows"]]
        differences = verify_seal(seed, *sealed)
        if sha256_of(protocol) != document["protocol_sha256"]:
            differences.append(Difference(0, "the protocol in the file is not the one that was sealed"))
        plan = plan_of(protocol)
        if document["study"] != plan.study:
            differences.append(Difference(0, "the protocol in the file is that of another study"))
        return differences + replay(seed, plan, rows, genesis=document["commitment"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LedgerError(f"incomplete or malformed: {error!r}") from error


def read(file: Path) -> Any:
    """The document in a file.

    Raises:
        LedgerError: the file is missing, or no JSON.
    """
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise LedgerError(f"{file}: {error}") from error


def sha256_of(protocol: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(protocol).encode()).hexdigest()


def _sizes_fit(plan: Plan) -> bool:
    """Without this a forged block size could keep a replay busy for ever."""
    if any(weight < 1 for _, weight in plan.arms) or len(plan.arms) < 2:
        return False
    return plan.method == "simple" or (
        bool(plan.block_sizes) and all(size > 0 and size % plan.weight == 0 for size in plan.block_sizes)
    )


def _replayed_draws(seed: bytes, study: str) -> Any:
    """Each draw is computed once; a replay asks for the early ones again and again."""

    @cache
    def of(stratum: str) -> Draws:
        return cache(lambda counter: randomisation.draw(seed, study, stratum, counter))

    return of


def _chained(rows: Iterable[Row], plan: Plan, genesis: str) -> Iterator[tuple[Row, list[str]]]:
    """Each row with what is wrong with its place in the chain."""
    position, previous, seen = 0, genesis, set[str]()
    for row in rows:
        faults = []
        if row.position != position + 1:
            faults.append(f"follows position {position}")
        if row.study != plan.study:
            faults.append("belongs to another study")
        if not _names(row.stratum, plan):
            faults.append("has a stratum that the protocol does not name")
        if row.participant in seen:
            faults.append("allocates a participant a second time")
        if row.previous_hash != previous:
            faults.append("does not continue from the row before")
        if row.digest() != row.hash:
            faults.append("was changed after it was written")
        yield row, faults
        position, previous = row.position, row.hash
        seen.add(row.participant)


def _names(stratum: str, plan: Plan) -> bool:
    parts = stratum.split(";") if stratum else []
    return tuple(part.partition("=")[0] for part in parts) == plan.strata


def _departures(row: Row, choice: Choice) -> list[str]:
    found = []
    if row.arm != choice.arm:
        found.append("the arm is not the one that the seed gives")
    if row.inputs != choice.inputs:
        found.append("the recorded inputs are not those of the replay")
    return found


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m trial.ledger FILE.json", file=sys.stderr)
        return 2
    try:
        document = read(Path(arguments[0]))
        differences = verify_document(document)
    except LedgerError as error:
        print(error, file=sys.stderr)
        return 2
    for difference in differences:
        print(difference)
    print(f"{len(document['rows'])} allocations replayed, {len(differences)} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
