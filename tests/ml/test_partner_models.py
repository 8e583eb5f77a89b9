"""SmolLM2 is converted once and verified, and generates the same safe sentences for a seed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ml.partner import smollm
from ml.partner.__main__ import DataError, main, read
from ml.releases import WeightsError

POST = "My girlfriend left me on Sunday and I keep crying in the car. I miss her so much."


def converted(root: Path, **changes: object) -> Path:
    """A folder that looks like a converted model."""
    folder = smollm.cache(root)
    folder.mkdir(parents=True)
    for name in smollm.FILES:
        (folder / name).write_bytes(name.encode())
    files = {name: smollm.sha256_of(folder / name) for name in smollm.FILES}
    manifest = {"source": smollm.GGUF_SHA256, "files": files, **changes}
    (folder / smollm.MANIFEST).write_text(json.dumps(manifest))
    return folder


def test_an_unconverted_model_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"python -m ml\.partner prepare"):
        smollm.prepared(tmp_path)


def test_a_converted_model_is_found_again(tmp_path: Path) -> None:
    folder = converted(tmp_path)
    assert smollm.prepared(tmp_path) == folder
    assert smollm.prepare(tmp_path) == folder


@pytest.mark.parametrize("name", smollm.FILES)
def test_an_altered_file_is_refused(tmp_path: Path, name: str) -> None:
    folder = converted(tmp_path)
    (folder / name).write_bytes(b"something else")
    with pytest.raises(WeightsError, match="not the pinned file"):
        smollm.prepared(tmp_path)


def test_a_model_converted_from_another_file_is_refused(tmp_path: Path) -> None:
    converted(tmp_path, source="0" * 64)
    with pytest.raises(WeightsError, match="another file"):
        smollm.prepared(tmp_path)


def test_a_broken_manifest_is_refused(tmp_path: Path) -> None:
    (converted(tmp_path) / smollm.MANIFEST).write_text("{")
    with pytest.raises(WeightsError, match="unreadable"):
        smollm.prepared(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"seeker_post,reply\na,b\n", "no column response_post"),
        (b"", "no column"),
        (b"seeker_post,response_post\n\xff\xfe,b\n", "not UTF-8"),
        (b'seeker_post,response_post\n"a,b\n', "unexpected end"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(
    tmp_path: Path, content: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(read(path))
    arguments = ["propose", "--data", str(path), "--rewriter", "none", "--out", str(tmp_path / "out.jsonl")]
    assert main(arguments) == 1
    assert message in capsys.readouterr().err


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        list(read(tmp_path / "none.csv"))


@pytest.mark.models
def test_the_real_rewriters_answer_over_a_file(tmp_path: Path) -> None:
    path, out = tmp_path / "rows.csv", tmp_path / "out.jsonl"
    path.write_text(f'seeker_post,response_post\n"{POST}",That\'s life.\n"I want to die.",Ok.\n')
    arguments = ["propose", "--data", str(path), "--rewriter", "phrasebook", "--seed", "1", "--out", str(out)]
    assert main(arguments) == 0
    first, second = map(json.loads, out.read_text().splitlines())
    assert first["edits"]
    assert first["rewritten"] != "That's life."
    assert {"op", "index", "old", "new", "gain"} == set(first["edits"][0])
    assert second["edits"] == []
    assert second["rewritten"] == "Ok."
