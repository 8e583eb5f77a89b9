"""Runs the plan on a snapshot and keeps the report: the verb behind the command and the page."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from analysis import dataset, report
from analysis.ard import Stamp
from analysis.dataset import Dataset
from analysis.document import Document
from analysis.errors import SnapshotError
from analysis.models import Analysis, Snapshot
from analysis.snapshot import Manifest, read_manifest
from analysis.stamp import code_version
from trial.models import Study
from trial.services import audit

if TYPE_CHECKING:
    from trial.models import User

NO_SNAPSHOT = "{study} has no snapshot yet. Take one first: manage.py snapshot {study}"


@dataclass(frozen=True)
class Written:
    """What a run leaves on disk."""

    document: Document
    folder: Path
    files: tuple[Path, ...]


def find_snapshot(*, study: Study, wanted: str = "") -> tuple[Path, Snapshot | None]:
    """The folder of a snapshot given by path or by (the start of) its hash; the newest by default.

    Raises:
        SnapshotError: there is none, or the hash fits several.
    """
    if not wanted:
        newest = Snapshot.objects.filter(study=study).first()
        if newest is None:
            raise SnapshotError(NO_SNAPSHOT.format(study=study.slug))
        return newest.path, newest
    if Path(wanted).is_dir():
        return Path(wanted), None
    found = Snapshot.objects.filter(study=study, sha256__startswith=wanted)
    if len(found) != 1:
        raise SnapshotError(f"{wanted} names {len(found)} snapshots of {study.slug}, and no folder.")
    return found[0].path, found[0]


def analyse_folder(folder: Path, out: Path) -> Written:
    """Run the plan on the snapshot in `folder` and write the report to `out`; no database is needed."""
    data = dataset.load(folder)
    document, draft = report.build(data, _stamp(data), made_at=f"{timezone.now():%Y-%m-%d %H:%M} UTC")
    return Written(document, out, tuple(report.write(document, draft, out)))


def analyse(*, snapshot: Snapshot, actor: User | None = None, out: Path | None = None) -> tuple[Analysis, Written]:
    """Run the plan on a snapshot, keep the report and record that it was made."""
    folder = Path("reports") / snapshot.study.slug / f"{snapshot}-{timezone.now():%Y%m%dT%H%M%S%f}"
    written = analyse_folder(snapshot.path, Path(settings.STATE_DIR) / folder)
    stamp = _stamp_of(snapshot)
    with transaction.atomic():
        analysis = Analysis.objects.create(
            snapshot=snapshot,
            plan_sha256=stamp.plan,
            code_version=stamp.code,
            releases=[stamp.releases],
            folder=str(folder),
            headline=written.document.headline[:500],
            created_by=actor,
        )
        audit.record(
            "analysis.run",
            actor=actor,
            label="system",
            study=snapshot.study,
            ref=str(snapshot),
            data={"plan": stamp.plan, "code": stamp.code, "blinded": snapshot.blinded},
        )
    if out is not None:
        shutil.copytree(written.folder, out, dirs_exist_ok=True)
        written = Written(written.document, out, tuple(out / file.name for file in written.files))
    return analysis, written


def _stamp_of(snapshot: Snapshot) -> Stamp:
    return _stamp_from(read_manifest(snapshot.path))


def _stamp(data: Dataset) -> Stamp:
    return _stamp_from(data.manifest)


def _stamp_from(manifest: Manifest) -> Stamp:
    return Stamp(manifest.sha256, manifest.plan_sha256, code_version(), ", ".join(manifest.releases))
