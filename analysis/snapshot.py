"""Freezes the data of a study: frames, plan, codebook, and the manifest of hashes that names it all."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from django.conf import settings
from django.db import transaction
from pydantic import ValidationError

from analysis import frames, scoring
from analysis.blinding import ArmName, arms_for_analysis
from analysis.errors import NothingToFreezeError, SnapshotError
from analysis.models import Snapshot
from analysis.plan import Plan, check_against, read_plan
from trial.models import Allocation, Study
from trial.questions import Strict
from trial.services import audit

if TYPE_CHECKING:
    from ml.types import Scorer
    from trial.models import User

FORMAT = "attune-snapshot-1"
MANIFEST = "manifest.json"
Who = Literal["real", "simulated"]


@dataclass(frozen=True)
class Scope:
    """What is frozen: one study's real or simulated people, with `scramble` the seed of a dry run."""

    study: Study
    who: Who
    scramble: int | None = None

    @property
    def simulated(self) -> bool:
        return self.who == "simulated"


class FileEntry(Strict):
    """One file of a snapshot; `rows` only for frames."""

    sha256: str
    rows: int | None = None


class ArmEntry(Strict):
    code: str
    label: str


class Manifest(Strict):
    """What a snapshot is. Its hash names it; it holds no time, so the same data give the same hash."""

    format: Literal["attune-snapshot-1"]
    study: str
    title: str
    protocol_version: str
    protocol_sha256: str
    plan_sha256: str
    study_state: str
    who: Who
    blinded: bool
    scramble: int | None
    arms: tuple[ArmEntry, ArmEntry]
    posts_per_participant: int
    target: int
    releases: tuple[str, ...]
    files: dict[str, FileEntry]

    def to_bytes(self) -> bytes:
        return (json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True) + "\n").encode()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.to_bytes()).hexdigest()


def default_who(study: Study) -> Who:
    """Real participants, unless there are none, or this is a demo with a simulated trial in it."""
    randomised = Allocation.objects.filter(study=study)
    simulated = randomised.filter(participant__simulated=True).exists()
    real = randomised.filter(participant__simulated=False).exists()
    return "simulated" if simulated and (settings.DEMO or not real) else "real"


def take_snapshot(
    *,
    scope: Scope,
    scorer: Scorer | None = None,
    actor: User | None = None,
    progress: scoring.Progress = lambda _: None,
) -> tuple[Snapshot, bool]:
    """Score what is not scored, freeze, and return the snapshot and whether it is a new one.

    Raises:
        NothingToFreezeError: nobody of that kind has been randomised.
        PlanError: the plan of the protocol is invalid or names what the surveys do not have.
    """
    study = scope.study
    plan = read_plan(study.protocol.sap)
    check_against(plan, study.protocol)
    if not Allocation.objects.filter(study=study, participant__simulated=scope.simulated).exists():
        raise NothingToFreezeError(f"No {scope.who} participant of {study.slug} has been randomised yet.")
    scorer = scorer or scoring.outcome_scorer(study)
    scoring.score_replies(study=study, scorer=scorer, simulated=scope.simulated, progress=progress)
    manifest, contents = _freeze(scope, plan, str(scorer.release))
    return _store(study, manifest, contents, actor)


@transaction.atomic
def _freeze(scope: Scope, plan: Plan, release: str) -> tuple[Manifest, dict[str, bytes]]:
    """All frames are read in one transaction, so that they are of one moment."""
    study = scope.study
    arms = arms_for_analysis(study=study, simulated=scope.simulated, scramble=scope.scramble)
    data = frames.build(study=study, arms=arms, simulated=scope.simulated, release=release)
    contents = {f"{name}.parquet": frame.to_parquet(index=False) for name, frame in data.items()}
    contents["codebook.json"] = _json(frames.codebook(data, study.protocol))
    contents["plan.json"] = (plan.canonical_json() + "\n").encode()
    version = study.current_version
    assert version is not None
    manifest = Manifest(
        format="attune-snapshot-1",
        study=study.slug,
        title=study.protocol.title,
        protocol_version=version.version,
        protocol_sha256=version.sha256,
        plan_sha256=plan.sha256,
        study_state=study.state,
        who=scope.who,
        blinded=arms.blinded,
        scramble=scope.scramble,
        arms=(_arm_entry(arms.names[0]), _arm_entry(arms.names[1])),
        posts_per_participant=study.protocol.writing.per_participant,
        target=study.protocol.target,
        releases=(release,),
        files={name: _file_entry(data, name, content) for name, content in contents.items()},
    )
    return manifest, contents


def _arm_entry(name: ArmName) -> ArmEntry:
    return ArmEntry(code=name.code, label=name.label)


def _file_entry(data: dict[str, pd.DataFrame], name: str, content: bytes) -> FileEntry:
    frame = data.get(name.removesuffix(".parquet"))
    return FileEntry(sha256=hashlib.sha256(content).hexdigest(), rows=None if frame is None else len(frame))


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def _store(study: Study, manifest: Manifest, contents: dict[str, bytes], actor: User | None) -> tuple[Snapshot, bool]:
    existing = Snapshot.objects.filter(sha256=manifest.sha256).first()
    if existing is not None and (existing.path / MANIFEST).exists():
        return existing, False
    folder = Path("snapshots") / study.slug / manifest.sha256[:12]
    _write(Path(settings.STATE_DIR) / folder, {MANIFEST: manifest.to_bytes(), **contents})
    with transaction.atomic():
        snapshot, created = Snapshot.objects.get_or_create(
            sha256=manifest.sha256,
            defaults={
                "study": study,
                "folder": str(folder),
                "blinded": manifest.blinded,
                "scramble": manifest.scramble,
                "simulated": manifest.who == "simulated",
                "participants": manifest.files["participants.parquet"].rows or 0,
                "replies": manifest.files["replies.parquet"].rows or 0,
                "created_by": actor,
            },
        )
        data = {"participants": snapshot.participants, "blinded": snapshot.blinded, "who": manifest.who}
        audit.record("snapshot.taken", actor=actor, label="system", study=study, ref=manifest.sha256[:12], data=data)
    return snapshot, created


def _write(folder: Path, contents: dict[str, bytes]) -> None:
    """All files or none: they are written beside and moved in one step."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        staged = Path(work) / folder.name
        staged.mkdir()
        for name, content in contents.items():
            (staged / name).write_bytes(content)
        if folder.exists():
            shutil.rmtree(folder)
        staged.rename(folder)


# --- Reading one back ---------------------------------------------------------------------


def read_manifest(folder: Path) -> Manifest:
    """Read a snapshot's manifest and verify every file it names.

    Raises:
        SnapshotError: no snapshot there, a file is missing, or one is not as it was frozen.
    """
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except OSError as error:
        raise SnapshotError(f"No snapshot in {folder}.") from error
    except ValidationError as error:
        raise SnapshotError(f"{folder / MANIFEST} is no manifest of a snapshot.") from error
    for name, entry in manifest.files.items():
        file = folder / name
        if Path(name).name != name or not file.is_file():
            raise SnapshotError(f"{file} is missing.")
        if hashlib.sha256(file.read_bytes()).hexdigest() != entry.sha256:
            raise SnapshotError(f"{file} is not the file that was frozen: its SHA-256 differs.")
    return manifest
