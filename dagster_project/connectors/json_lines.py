"""JSON lines: which keys to read, and the slow careful way through a file with lines that are no JSON objects.

DuckDB reads a line that is no JSON as a row without values, and 1.5 loses the line after an unfinished one as well.
So a file with such a row is sieved: Python parses its lines one by one and DuckDB reads a clean copy.
"""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

from dagster_project.connectors.sieved import NOT_UTF8, LineFault, Sieved
from dagster_project.connectors.source_files import SourceFile, SourceFileError, physical_lines
from dagster_project.settings import FileEntity
from dagster_project.warehouse import literal, quoted

_BLANKS = b" \t\r"
_SAMPLE_LINES = 1_000


def mapped_columns(mapping: FileEntity) -> list[str]:
    """The file's columns (or keys) that the mapping uses, each once."""
    return list(dict.fromkeys(mapped.column for mapped in mapping.columns.values() if mapped.column is not None))


def json_columns(mapping: FileEntity) -> dict[str, str]:
    """The keys to read with their types: text, and for `a.b` the whole of `a`."""
    names = mapped_columns(mapping)
    keys = dict.fromkeys(names, "varchar")
    return keys | {name.split(".")[0]: "json" for name in names if "." in name}


def json_value(name: str, keys: dict[str, str]) -> str:
    """SQL for a key's value as text; `a.b` is a key of that name, or else `b` inside `a`."""
    if keys[name] == "json":
        return f"({quoted(name)} ->> '$')"
    if "." not in name:
        return quoted(name)
    root, *parts = name.split(".")
    path = "$" + "".join(f'."{part}"' for part in parts)
    return f"coalesce({quoted(name)}, {quoted(root)} ->> {literal(path)})"


def sieve_json(file: SourceFile, mapping: FileEntity, missing: str | None, target: Path) -> Sieved:
    """Write the lines that are JSON objects to `target` and say where each stood.

    `missing` is the column to blame where an object has no mapped value at all. Raises SourceFileError when not a
    single line is an object.
    """
    sieved = Sieved(target)
    names = mapped_columns(mapping)
    has_object = False
    with target.open("wb") as out:
        for number, raw in enumerate(physical_lines(file), start=1):
            text = (raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw).strip(_BLANKS)
            if not text:
                continue
            content = _parse(text)
            if isinstance(content, str):
                sieved.faults.append(LineFault(number, content))
                continue
            has_object = True
            if missing is not None and all(_value(content, name) is None for name in names):
                sieved.faults.append(LineFault(number, "is missing", missing))
                continue
            out.write(text + b"\n")
            sieved.runs.add(number)
    if sieved.faults and not has_object:
        first = sieved.faults[0]
        raise SourceFileError(
            f"{file.name}: no line of it is a JSON object (line {first.line} {first.reason}); JSON lines hold one "
            "object a line; correct the file or set `format:` of the entity"
        )
    return sieved


def _parse(line: bytes) -> dict[str, Any] | str:
    """The object of a line, or why there is none."""
    try:
        content = json.loads(line.decode())
    except UnicodeDecodeError:
        return NOT_UTF8
    except (ValueError, RecursionError):
        return "is not valid JSON"
    return content if isinstance(content, dict) else "is not a JSON object"


def _value(content: dict[str, Any], name: str) -> object:
    value: Any = content.get(name)
    if value is None and "." in name:
        value = content
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    return value


def json_keys(file: SourceFile) -> list[str]:
    """The keys of the first thousand lines, nested ones as `a.b`, in order of appearance."""
    keys: dict[str, None] = {}
    for number, line in enumerate(physical_lines(file)):
        if number >= _SAMPLE_LINES:
            break
        content = _parse(line)
        if isinstance(content, dict):
            keys.update(_keys(content, ""))
    return list(keys)


def _keys(content: dict[str, Any], prefix: str) -> dict[str, None]:
    found: dict[str, None] = {}
    for key, value in content.items():
        found[prefix + key] = None
        if isinstance(value, dict):
            found.update(_keys(value, f"{prefix}{key}."))
    return found
