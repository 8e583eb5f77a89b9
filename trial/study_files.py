"""Reads the files of a study folder, and refuses a bad one with file, place and reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError


class ProtocolError(Exception):
    """An invalid study folder: which file, where in it, and why."""

    code = "invalid_protocol"

    def __init__(self, file: Path | str, place: str, reason: str) -> None:
        self.file, self.place, self.reason = str(file), place, reason
        super().__init__(f"{file}: {place}: {reason}" if place else f"{file}: {reason}")


class _Loader(yaml.CSafeLoader):
    """Safe YAML that refuses a key given twice, of which the last would win silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        seen: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                raise ConstructorError(None, None, f"{key.value} is given twice", key.start_mark)
            seen.add(str(key.value))
        return dict(super().construct_mapping(node, deep))


def read_text(file: Path) -> str:
    """A UTF-8 file, with or without a byte order mark."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ProtocolError(file, "", "no such file") from error
    except UnicodeDecodeError as error:
        raise ProtocolError(file, f"byte {error.start}", "is not UTF-8") from error
    except OSError as error:
        raise ProtocolError(file, "", f"cannot be read: {error.strerror}") from error


def read_yaml(file: Path) -> Any:
    """A YAML file, plain values only."""
    try:
        return _Loader(read_text(file)).get_single_data()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark else ""
        raise ProtocolError(file, place, f"is not YAML: {getattr(error, 'problem', error)}") from error
