"""The statistician's pages: what was frozen, what was found, and every file of it to keep."""

from __future__ import annotations

import json
from pathlib import Path

from django.contrib.auth.decorators import permission_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from analysis.models import Analysis, Snapshot

MAY_SEE = permission_required("analysis.view_analysis", raise_exception=True)
FILES = {
    "report.html": "text/html; charset=utf-8",
    "results.csv": "text/csv; charset=utf-8",
    "results.json": "application/json",
}


@require_safe
@MAY_SEE
def index(request: HttpRequest) -> HttpResponse:
    """All snapshots, newest first, with the reports made on each."""
    snapshots = Snapshot.objects.select_related("study").prefetch_related("analyses")
    return render(request, "analysis/index.html", {"snapshots": snapshots})


@require_safe
@MAY_SEE
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One report, as it was made."""
    analysis = get_object_or_404(Analysis.objects.select_related("snapshot__study"), pk=pk)
    try:
        document = json.loads((analysis.path / "document.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Http404 from error
    context = {
        "analysis": analysis,
        "document": document,
        "drawings": _drawings(analysis.path),
        "files": FILES,
    }
    return render(request, "analysis/report.html", context)


@require_safe
@MAY_SEE
def download(request: HttpRequest, pk: int, name: str) -> FileResponse:
    """One of the files of a report, as an attachment."""
    analysis = get_object_or_404(Analysis.objects.select_related("snapshot__study"), pk=pk)
    file = analysis.path / name
    if name not in FILES or not file.is_file():
        raise Http404
    filename = f"{analysis.snapshot.study.slug}-{analysis.snapshot}-{name}"
    return FileResponse(file.open("rb"), as_attachment=True, filename=filename, content_type=FILES[name])


def _drawings(folder: Path) -> dict[str, str]:
    return {file.stem: file.read_text(encoding="utf-8") for file in sorted((folder / "figures").glob("*.svg"))}
