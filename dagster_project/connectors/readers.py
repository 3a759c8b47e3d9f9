"""One reader a format: what a file offers (columns, types), and the SQL that reads many such files at once.

Files that a reader cannot take as they are (another encoding, a name that DuckDB would read as a pattern) are copied or
linked into a scratch folder first and read from there.
"""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from dagster_project.connectors.casts import Raw
from dagster_project.connectors.csv_records import Header, read_header
from dagster_project.connectors.csv_records import sieve as sieve_csv
from dagster_project.connectors.json_lines import json_columns, json_keys, json_value, mapped_columns, sieve_json
from dagster_project.connectors.ledger import Fresh
from dagster_project.connectors.sieved import LineFault, Runs
from dagster_project.connectors.source_files import (
    SourceFile,
    SourceFileError,
    Survey,
    refuse_latin1,
    survey,
    transcode,
)
from dagster_project.connectors.sql_parameters import Parameters
from dagster_project.settings import FileEntity
from dagster_project.warehouse import literal, quoted

_PATH = "filename = '_path', hive_partitioning = false"
_DUCKDB_COMPRESSION = {"none": "uncompressed", "gzip": "gzip", "zstd": "zstd"}


@dataclass
class Incoming:
    """A fresh file on its way in. `reading` is what DuckDB reads: the file itself, or a copy of it."""

    fresh: Fresh
    reading: SourceFile
    sources: dict[str, Raw] = field(default_factory=dict)
    shape: Hashable = None  # files of one shape are read by one statement
    survey: Survey | None = None
    header: Header | None = None
    runs: Runs = field(default_factory=Runs)
    faults: list[LineFault] = field(default_factory=list)
    is_sieved: bool = False

    @property
    def name(self) -> str:
        """The file's path inside the source's folder."""
        return self.fresh.file.name

    @property
    def path(self) -> str:
        """What DuckDB reads, and gives back as `_path`."""
        return str(self.reading.path)


def examine(
    con: duckdb.DuckDBPyConnection, files: Sequence[Fresh], mapping: FileEntity, scratch: Path
) -> list[Incoming]:
    """Look at every file before any is loaded: damage, encoding, header, columns.

    Raises SourceFileError for the first that cannot be read at all or lacks a mapped column, and for a date format
    that DuckDB does not know.
    """
    _refuse_formats(con, mapping)
    incoming = []
    for fresh in files:
        one = Incoming(fresh, _readable(fresh, scratch))
        if one.reading.format == "parquet":
            _examine_parquet(con, one, mapping)
        else:
            _examine_text(one, mapping, scratch)
        incoming.append(one)
    return incoming


def _refuse_formats(con: duckdb.DuckDBPyConnection, mapping: FileEntity) -> None:
    for name, mapped in mapping.columns.items():
        if mapped.format is None:
            continue
        try:
            con.execute("select try_strptime('', $1)", [mapped.format])
        except duckdb.InvalidInputException as error:
            reason = str(error).splitlines()[0].split(": ")[-1]
            raise SourceFileError(
                f"the format '{mapped.format}' of {name} cannot be used (unknown code {reason}); write it with "
                "strptime codes in the config, as in '%d/%m/%Y %H:%M'"
            ) from error


def _readable(fresh: Fresh, scratch: Path) -> SourceFile:
    """The file, or a link to it where DuckDB would take its name for a pattern."""
    file = fresh.file
    if not set(str(file.path)) & set("*?["):
        return file
    link = scratch / f"{fresh.file_id}.link"
    link.symlink_to(file.path.resolve())
    return SourceFile(link, file.name, file.format, file.compression, file.size, file.modified_ns)


def _examine_text(one: Incoming, mapping: FileEntity, scratch: Path) -> None:
    copy = scratch / f"{one.fresh.file_id}.text"
    if mapping.encoding != "utf-8":
        one.reading = transcode(one.reading, mapping.encoding, copy)
    one.survey = survey(one.reading)
    if not one.survey.is_utf8:
        refuse_latin1(one.reading)
    if one.reading.format == "csv":
        delimiter = mapping.delimiter or ("\t" if ".tsv" in one.name.lower() else None)
        header = read_header(one.reading, delimiter, is_there=mapping.header, quotes=mapping.quotes)
        _require(one.name, "column", mapped_columns(mapping), header.names)
        one.header = header
        one.sources = {name: Raw(f"c{header.names.index(name)}") for name in mapped_columns(mapping)}
        one.shape = ("csv", header.names, header.delimiter, one.reading.compression)
        return
    keys = json_columns(mapping)
    one.sources = {name: Raw(json_value(name, keys)) for name in mapped_columns(mapping)}
    one.shape = ("jsonl", one.reading.compression)


def _examine_parquet(con: duckdb.DuckDBPyConnection, one: Incoming, mapping: FileEntity) -> None:
    try:
        rows = con.execute("describe select * from read_parquet(?, hive_partitioning = false)", [one.path]).fetchall()
    except duckdb.Error as error:
        first = str(error).splitlines()[0]
        raise SourceFileError(
            f"{one.name}: is a damaged Parquet file, or none at all ({first}); send it again"
        ) from error
    types = {str(row[0]): str(row[1]) for row in rows}
    _require(one.name, "column", mapped_columns(mapping), types)
    one.sources = {name: Raw(quoted(name), types[name]) for name in mapped_columns(mapping)}
    one.shape = ("parquet", tuple(types.items()))


def _require(file: str, what: str, wanted: Iterable[str], found: Iterable[str]) -> None:
    """Raises SourceFileError that names every mapped column which the file does not have, or has twice."""
    wanted, names = list(wanted), list(found)
    problems = []
    for name in wanted:
        if name not in names:
            close = difflib.get_close_matches(name.lower(), [one.lower() for one in names], n=1)
            meant = next((one for one in names if close and one.lower() == close[0]), None)
            problems.append(f"has no {what} '{name}'" + (f" (did you mean '{meant}'?)" if meant else ""))
        elif names.count(name) > 1:
            problems.append(f"has the {what} '{name}' twice, so it is not clear which one is meant")
    if problems:
        shown = ", ".join(name or "(no name)" for name in names[:60])
        raise SourceFileError(
            f"{file}: {'; '.join(problems)}; {what}s found: {shown}; correct the mapping or the file",
            tuple(name for name in wanted if name not in names),
        )


def table_function(batch: Sequence[Incoming], mapping: FileEntity, parameters: Parameters) -> str:
    """The SQL that reads a batch of files of one shape, `_path` saying which file a row is from."""
    reading = batch[0].reading
    files = parameters.bind([one.path for one in batch])
    if reading.format == "parquet":
        return f"read_parquet({files}, {_PATH}, binary_as_string = true)"
    compression = f"compression = {parameters.bind(_DUCKDB_COMPRESSION[reading.compression])}"
    if reading.format == "jsonl":
        columns = ", ".join(f"{literal(name)}: '{kind}'" for name, kind in json_columns(mapping).items())
        return f"read_ndjson({files}, columns = {{{columns}}}, ignore_errors = true, {_PATH}, {compression})"
    header = batch[0].header
    assert header is not None
    columns = ", ".join(f"'c{number}': 'varchar'" for number in range(len(header.names)))
    quote = "'\"'" if header.quotes else "''"
    nulls = f"nullstr = {parameters.bind(list(mapping.nulls))}, " if mapping.nulls else ""
    return (
        f"read_csv({files}, columns = {{{columns}}}, header = {header.lines > 0}, auto_detect = false, {nulls}"
        f"delim = {parameters.bind(header.delimiter)}, quote = {quote}, escape = {quote}, {_PATH}, {compression}, "
        "store_rejects = true, rejects_table = 'files_rejects', rejects_scan = 'files_rejects_scans')"
    )


def sieve(one: Incoming, mapping: FileEntity, missing: str | None, scratch: Path) -> None:
    """Put a clean copy in the place of a CSV or JSON lines file; its broken lines are noted with it.

    `missing` is the column that a row without any value lacks first.
    """
    assert one.survey is not None
    target = scratch / f"{one.fresh.file_id}.clean"
    if one.header is None:
        sieved = sieve_json(one.reading, mapping, missing, target)
    else:
        sieved = sieve_csv(one.reading, one.header, target, one.survey.newline, check_utf8=not one.survey.is_utf8)
    one.reading = SourceFile(target, one.name, one.reading.format, "none", target.stat().st_size, 0)
    one.runs, one.faults, one.is_sieved = sieved.runs, sieved.faults, True


def must_be_sieved(one: Incoming) -> bool:
    """Whether DuckDB would stumble over this text file, or count its lines wrongly, as the survey already shows."""
    assert one.survey is not None
    if one.header is None:
        return one.survey.has_bom or not one.survey.is_utf8
    return one.survey.newline == "mixed" or not one.survey.is_utf8


def first_line(one: Incoming) -> int:
    """The line of the first row in a file that was not sieved; Parquet rows count from 1."""
    return 1 if one.header is None else one.header.lines + 1


def is_regular(one: Incoming, rows: int) -> bool:
    """Whether every row of a text file stands on one line of its own, without blank lines between."""
    assert one.survey is not None
    return rows + first_line(one) - 1 == max(one.survey.lines, first_line(one) - 1)


def refuse_missing_keys(one: Incoming, names: Iterable[str]) -> None:
    """Raises SourceFileError when one of these keys stands in no line of a JSON lines file."""
    _require(one.name, "key", names, json_keys(one.fresh.file))
