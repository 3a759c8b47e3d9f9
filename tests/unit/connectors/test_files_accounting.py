"""Whatever is done to a file, no row is lost: read = accepted + rejected, and every line is told once."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import duckdb
from conftest import World
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.connectors.files import SourceFileError, prepare

CON = duckdb.connect(config={"threads": 2})  # one for all examples: making the tables takes longer than an example
prepare(CON)

CELLS = st.sampled_from(
    [
        "",
        "A1",
        "2026-01-01",
        "31/12/2026",
        "-5",
        "7",
        "nan",
        "inf",
        "9999-12-31",
        "NULL",
        "é",
        "=1+1",
        " ",
        "x" * 90,
        '"a,b"',
        '"a\nb"',
        '"a""b"',
        '5"',
        '"open',
        '"a"b',
        "a\rb",
        "\x00",
        "''",
        "\\",
        "\ufeff",
    ]
)
GOOD = st.builds(lambda number, seats: f"A{number},2026-01-01,{seats}", st.integers(0, 99), st.integers(-1, 9))
LINES = st.one_of(
    GOOD,
    GOOD,
    st.lists(CELLS, min_size=1, max_size=5).map(",".join),
    st.sampled_from(["", "  ", "\r", ",,", '"', "A1,2026-01-01,1,2", "A1,2026-01-01,1,,"]),
    st.text(alphabet='",\n\rA \t', max_size=8),
)
MAPPED = {"account_id": "id", "created_on": "since", "seats": "seats"}


def loaded(name: str, content: bytes) -> tuple[World, list[tuple[int, str]]] | None:
    """Load one file into an empty warehouse; (line, fate) of its rows, or None where it was refused as a whole."""
    with tempfile.TemporaryDirectory() as folder:
        for table in (
            "raw_files.tickets",
            "raw_quarantine.rejected_rows",
            "raw_meta.loaded_files",
            "raw_meta.open_days",
        ):
            CON.execute(f"delete from {table}")
        world = World(Path(folder), CON)
        world.map(
            "tickets", name, {"ticket_id": "id", "account_id": "id", "created_at": "since", "csat_scale": "seats"}
        )
        world.write(name, content)
        try:
            result = world.load("tickets")  # checks read = accepted + rejected, and that reasons sum up
        except SourceFileError:
            return None
        accepted = [(line, "accepted") for line in world.column("select _line from raw_files.tickets")]
        rejected = [(row[1], "rejected") for row in world.rejected()]
        assert (len(accepted), len(rejected)) == (result.rows_accepted, result.rows_rejected)
        assert world.column("select rows_read from raw_meta.loaded_files") == [result.rows_read]
        return world, sorted(accepted + rejected)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(LINES, max_size=12), newline=st.sampled_from(["\n", "\r\n"]), damage=st.booleans())
def test_every_line_of_a_dirty_csv_is_accounted_for(lines: list[str], newline: str, damage: bool) -> None:
    content = ("id,since,seats\n" + "\n".join(lines)).replace("\n", newline).encode()
    if damage:
        content += newline.encode() + b"A1,2026-01-01,\xff"
    outcome = loaded("t.csv", content)
    assert outcome is not None
    told = [line for line, _ in outcome[1]]
    assert len(told) == len(set(told))
    physical = content.replace(b"\r\n", b"\n").split(b"\n")
    assert all(2 <= line <= len(physical) for line in told)
    simple = [n for n, text in enumerate(physical, start=1) if n > 1 and text.strip(b" \r") and b'"' not in text]
    if b'"' not in content and b"\r" not in content.replace(b"\r\n", b""):
        assert told == simple  # without quotes every line that is not blank is one row


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(GOOD, min_size=1, max_size=20), at=st.integers(0, 20), bad=LINES)
def test_one_bad_line_never_costs_a_good_one_after_it(lines: list[str], at: int, bad: str) -> None:
    """A line with an odd quote may swallow good ones only if those hold quotes themselves, which these do not."""
    at = min(at, len(lines))
    text = bad.replace("\n", " ").replace("\r", " ")
    outcome = loaded("t.csv", ("id,since,seats\n" + "\n".join([*lines[:at], text, *lines[at:]]) + "\n").encode())
    assert outcome is not None
    wanted = {at + 3 + number for number in range(len(lines) - at)} | {2 + number for number in range(at)}
    assert wanted <= {line for line, _ in outcome[1]}


KEYS = st.sampled_from(["id", "since", "seats", ""])
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=4,
)
ODD_JSON = ["", " ", "{}", "[]", "[", "{", '{"id":', "null", '"x"', "12", '{"id": "\\ud800"}', '{"id": NaN}', "}"]
JSON_LINES = st.one_of(
    st.builds(lambda number: f'{{"id": "A{number}", "since": "2026-01-01", "seats": {number}}}', st.integers(0, 9)),
    st.sampled_from([*ODD_JSON, '{"id": {"x": 1}}']),
    ANY_JSON.map(json.dumps),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(JSON_LINES, max_size=12), damage=st.booleans())
def test_every_line_of_dirty_json_lines_is_accounted_for(lines: list[str], damage: bool) -> None:
    good = '{"id": "A1", "since": "2026-01-01", "seats": 5}'
    content = "\n".join([good, *lines, good]).encode() + (b'\n{"id": "\xff"}' if damage else b"")
    outcome = loaded("t.jsonl", content)
    assert outcome is not None
    told = [line for line, _ in outcome[1]]
    assert told == [n for n, text in enumerate(content.split(b"\n"), start=1) if text.strip()]
    assert {(1, "accepted"), (len(lines) + 2, "accepted")} <= set(outcome[1])
