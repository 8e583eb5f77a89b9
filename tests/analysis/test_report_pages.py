"""The statistician's pages and commands, and everybody else's closed doors."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from analysis import runs
from analysis.models import Analysis
from analysis.snapshot import Scope, take_snapshot
from tests import builders
from tests.analysis.people import Plant, WordScorer, grow
from tests.conftest import client_of
from trial.models import AuditEvent, Participant, Study


def client_with(*roles: str) -> Client:
    client = Client()
    client.force_login(builders.staff(*roles))
    return client


def analysed(study: Study, people: int) -> Analysis:
    grow(study, Plant(people=people, effect=0.5))
    snapshot, _ = take_snapshot(scope=Scope(study, "simulated"), scorer=WordScorer())
    return runs.analyse(snapshot=snapshot)[0]


@pytest.fixture
def analysis(hailey: Study) -> Analysis:
    """A run on too few people: a report of reasons, quickly made."""
    return analysed(hailey, 4)


def urls(analysis: Analysis) -> list[str]:
    files = ("report.html", "results.csv", "results.json")
    return [
        reverse("analysis:index"),
        reverse("analysis:report", args=[analysis.pk]),
        *(reverse("analysis:download", args=[analysis.pk, name]) for name in files),
    ]


def test_a_statistician_reads_the_report_as_a_page(hailey: Study) -> None:
    analysis = analysed(hailey, 24)
    client = client_with("statistician")
    index = client.get(reverse("analysis:index")).content.decode()
    page = client.get(reverse("analysis:report", args=[analysis.pk])).content.decode()
    assert escape(analysis.headline) in index
    assert "Simulated participants" in index
    assert escape(analysis.headline) in page
    assert analysis.snapshot.sha256 in page
    assert page.count("<svg") >= 5
    article = page[page.index('<article class="report">') :]
    assert not re.search(r"style=|<style|<script|\son[a-z]+=", article), "the page obeys the CSP"


def test_every_other_role_is_refused(analysis: Analysis) -> None:
    for role in ("investigator", "rater", "safety_officer", "monitor", "administrator"):
        client = client_with(role)
        assert [client.get(url).status_code for url in urls(analysis)] == [403] * 5


def test_a_participant_and_a_stranger_are_refused(analysis: Analysis, alice: Participant) -> None:
    for url in urls(analysis):
        assert client_of(alice).get(url).status_code == 403
        assert Client().get(url).status_code == 302


def test_files_come_as_attachments(analysis: Analysis) -> None:
    client = client_with("statistician")
    for name in ("report.html", "results.csv", "results.json"):
        response = client.get(reverse("analysis:download", args=[analysis.pk, name]))
        assert response.headers["Content-Disposition"].startswith('attachment; filename="hailey-')
        assert b"".join(response) == (analysis.path / name).read_bytes()


def test_no_other_file_can_be_asked_for(analysis: Analysis) -> None:
    client = client_with("statistician")
    for name in ("document.json", "..", "..%2Fmanifest.json", "nothing.csv", "figures"):
        assert client.get(f"/analysis/{analysis.pk}/{name}").status_code == 404


def test_a_report_that_is_gone_is_not_found(analysis: Analysis) -> None:
    (analysis.path / "document.json").unlink()
    client = client_with("statistician")
    assert client.get(reverse("analysis:report", args=[analysis.pk])).status_code == 404
    assert client.get(reverse("analysis:report", args=[10**9])).status_code == 404


def test_reports_cannot_be_written_to(analysis: Analysis) -> None:
    client = client_with("statistician")
    for url in urls(analysis):
        for write in (client.post, client.put, client.delete):
            assert write(url).status_code == 405


def test_the_list_asks_the_database_a_fixed_number_of_times(
    analysis: Analysis, django_assert_max_num_queries: object
) -> None:
    client = client_with("statistician")
    for _ in range(3):
        runs.analyse(snapshot=analysis.snapshot)
    with django_assert_max_num_queries(10):  # type: ignore[operator]
        client.get(reverse("analysis:index"))


# --- Commands -----------------------------------------------------------------------------


def run(name: str, *args: str, **options: object) -> str:
    out = io.StringIO()
    call_command(name, *args, stdout=out, **options)
    return out.getvalue()


def test_snapshot_then_analyse_prints_what_was_found_and_where(hailey: Study, tmp_path: Path) -> None:
    grow(hailey, Plant(people=24))
    frozen = run("snapshot", "hailey", scorer=WordScorer())
    assert "SIMULATED" in frozen
    assert "24 participants, 240 replies, arms A and B" in frozen
    said = run("analyse", "hailey", "--out", str(tmp_path / "out"))
    assert "Expressed empathy of the replies: arm B scored" in said
    for name in ("report.html", "results.csv", "results.json"):
        assert (tmp_path / "out" / name).is_file()
    assert Analysis.objects.count() == 1
    assert AuditEvent.objects.filter(action="analysis.run").count() == 1


def test_a_second_snapshot_says_that_nothing_has_changed(hailey: Study) -> None:
    grow(hailey, Plant(people=4))
    run("snapshot", "hailey", scorer=WordScorer())
    assert "Nothing has changed" in run("snapshot", "hailey", scorer=WordScorer())


def test_analyse_takes_a_hash_or_a_folder(hailey: Study, tmp_path: Path) -> None:
    grow(hailey, Plant(people=4))
    snapshot, _ = take_snapshot(scope=Scope(hailey, "simulated"), scorer=WordScorer())
    run("analyse", "hailey", "--snapshot", str(snapshot))
    run("analyse", "hailey", "--snapshot", str(snapshot.path), "--out", str(tmp_path))
    assert Analysis.objects.get().snapshot == snapshot
    assert (tmp_path / "results.csv").read_bytes() == (Analysis.objects.get().path / "results.csv").read_bytes()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("analyse", "hailey"), "has no snapshot yet"),
        (("analyse", "hailey", "--snapshot", "beef"), "names 0 snapshots"),
        (("analyse", "hailey", "--snapshot", "/"), "No snapshot in /"),
        (("analyse", "nowhere"), "No study nowhere"),
        (("snapshot", "nowhere"), "No study nowhere"),
    ],
)
def test_a_command_that_cannot_run_says_why(hailey: Study, args: tuple[str, ...], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        run(*args)


def test_snapshot_of_a_study_without_participants_says_so(hailey: Study) -> None:
    with pytest.raises(CommandError, match="No real participant of hailey has been randomised"):
        run("snapshot", "hailey", scorer=WordScorer())
