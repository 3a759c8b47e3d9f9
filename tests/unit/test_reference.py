"""The documents say what the code says: pages made from it, keys, defaults, messages, figures, the tutorial."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import duckdb
import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dagster_project.config_file import ConfigError, read_document
from dagster_project.connectors.files import load_entity, prepare
from dagster_project.provider_settings import CrmAccounts, Match
from dagster_project.scorecards.alerts import AlertRules, load_alerts
from dagster_project.scorecards.delivery import Accounts
from dagster_project.scorecards.load import load_scorecards
from dagster_project.scorecards.schema import Scorecard, ScoredMeasure
from dagster_project.scorecards.segments import score_value
from dagster_project.settings import PROJECT_ROOT, PipelineFile, load_settings
from scripts import reference

PAGES = PROJECT_ROOT / "docs" / "reference"

PIPELINE = """\
company: Acme
home: var/acme
days: {first: 2026-01-01, last: 2026-01-31}
sources:
  files:
    folder: data
    entities:
      accounts: {files: accounts.csv, columns: {account_id: id, name: name, created_on: since}}
      tickets: {files: tickets.csv, columns: {ticket_id: id, account_id: account, created_at: opened}}
destinations:
  exports: [{name: health, table: current_health}]
"""
SCORECARD = """\
scorecard: standard
title: Standard
version: "1"
applies_to: default
coverage_floor: 0.7
bands: {red: 0, yellow: 50, green: 75}
groups:
  usage:
    title: Usage
    weight: 1
    measures:
      feature_breadth: {weight: 1, curve: {0: 0, 1: 100}}
      days_past_due: {weight: 1, half_life: 30}
exceptions:
  - {when: {measure: days_past_due, above: 60}, cap: 49, because: late}
"""
ALERTS = """\
rules:
  - {rule: red_score, title: Red, kind: score_below, line: 50}
"""


# --- Pages made from the code ---------------------------------------------------------------------------------------


def test_pages_made_from_the_code_are_up_to_date() -> None:
    assert reference.stale_pages() == [], "run `make reference`"


def test_a_stale_and_a_missing_page_are_named(tmp_path: Path) -> None:
    for name, text in reference.pages().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert reference.stale_pages(tmp_path) == []
    (tmp_path / "marts.md").write_text(reference.pages()["marts.md"].replace("double", "integer", 1), encoding="utf-8")
    (tmp_path / "entities.md").unlink()
    assert sorted(reference.stale_pages(tmp_path)) == ["entities.md", "marts.md"]


def test_check_exits_1_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "stale_pages", lambda: ["marts.md"])
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    assert reference.main(["--check"]) == 1
    assert "docs/reference/marts.md" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


# --- Keys and defaults -----------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """A row of a table of keys: the key's whole path, and the cell that tells its default."""

    path: str
    default: str


def tables(page: str, first: str) -> Iterator[tuple[str, list[str]]]:
    """(path in the heading above, cells) for each row of the tables whose first title is `first`."""
    inside, title = "", ""
    for line in (PAGES / page).read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            inside, title = "".join(re.findall(r"`([^`]+)`", line)[:1]), ""
        elif not line.startswith("|"):
            title = ""
        else:
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
            if title == first and not set(line) <= set("|-"):
                yield inside, cells
            title = title or cells[0]


def documented(page: str) -> list[Row]:
    found = []
    for inside, cells in tables(page, "key"):
        prefix = re.sub(r"<\w+>", "*", inside) + "." if inside else ""
        found.append(Row(prefix + cells[0].strip("`"), cells[2]))
    return found


def parts(annotation: Any) -> tuple[Any, str]:
    """The model inside an annotation, or None, and the way to it: `[]` for a list, `.*` for a mapping."""
    while get_origin(annotation) in (Annotated, Union, types.UnionType):
        inner = [part for part in get_args(annotation) if part is not type(None)]
        annotation = inner[0]
    if get_origin(annotation) in (dict, tuple):
        model, path = parts(get_args(annotation)[-1 if get_origin(annotation) is dict else 0])
        return model, (".*" if get_origin(annotation) is dict else "[]") + path
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return (annotation if is_model else None), ""


def keys_of(
    model: type[BaseModel], prefix: str = "", told: frozenset[type[BaseModel]] = frozenset(),
    shared: dict[type[BaseModel], str] | None = None,
) -> Iterator[Row]:  # fmt: skip
    """Every key of a part; a part that stands in two places of it (a step) is told of in the first.

    What many parts share (how customers are matched, which accounts are meant) is told of once a page.
    """
    shared = {} if shared is None else shared
    for name, field in model.model_fields.items():
        path = prefix + (field.alias or name)
        yield Row(path, default(field))
        inner, step = parts(field.annotation)
        if inner in (Match, Accounts, CrmAccounts):
            shared.setdefault(inner, path)
        if inner is not None and inner not in told and shared.get(inner, path) == path:
            yield from keys_of(inner, f"{path}{step}.", told, shared)
            told |= {inner}


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return ""
    if value is None or value in ((), {}):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(str(one) or '""' for one in value)
    return str(value)


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("pipeline.md", [*keys_of(PipelineFile)]),
        ("scorecards.md", [*keys_of(Scorecard)]),
        ("alerts.md", [*keys_of(AlertRules)]),
    ],
)
def test_every_key_is_documented_with_its_default_and_no_other(page: str, expected: list[Row]) -> None:
    assert len(expected) > 30
    assert sorted(documented(page)) == sorted(expected)


# --- What a mistake says ---------------------------------------------------------------------------------------------


def altered(base: str, change: str, folder: Path) -> str:
    """The file with one key set (`a.b[0].c: value`) or taken out (`a.b` left out)."""
    (folder / "base").write_text(base, encoding="utf-8")
    data: Any = read_document(folder / "base").data
    path, _, value = change.strip("`").partition(": ")
    steps: list[Any] = [int(step) if step.isdigit() else step for step in re.split(r"[.\[\]]+", path) if step]
    inner = data
    for step in steps[:-1]:
        inner = inner.setdefault(step, {}) if isinstance(step, str) else inner[step]
    if value:
        (folder / "value").write_text(f"it: {value}", encoding="utf-8")
        inner[steps[-1]] = read_document(folder / "value").data["it"]
    else:
        del inner[steps[-1]]
    return yaml.safe_dump(data, sort_keys=False)


def mistakes(page: str) -> list[tuple[str, str]]:
    return [(cells[0].removesuffix(" left out"), cells[1]) for _, cells in tables(page, "you write")]


def refused(folder: Path, text: str, load: Callable[[Path], object]) -> str:
    path = folder / "written.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load(path)
    return str(error.value)


def assert_says(written: str, said: str) -> None:
    """The sentence of the page stands in the message; from its … on the page is silent."""
    sentence, _, _ = said.partition("…")
    assert sentence.strip() in written


def alone(path: Path) -> object:
    """Load a scorecard with nothing else in its folder."""
    folder = path.parent / "scorecards"
    folder.mkdir(exist_ok=True)
    path.rename(folder / path.name)
    return load_scorecards(folder)


@pytest.mark.parametrize(("change", "said"), mistakes("pipeline.md"))
def test_a_mistake_in_pipeline_yml_says_what_the_page_says(change: str, said: str, tmp_path: Path) -> None:
    assert_says(refused(tmp_path, altered(PIPELINE, change, tmp_path), lambda path: load_settings(path, {})), said)


@pytest.mark.parametrize(("change", "said"), mistakes("scorecards.md"))
def test_a_mistake_in_a_scorecard_says_what_the_page_says(change: str, said: str, tmp_path: Path) -> None:
    assert_says(refused(tmp_path, altered(SCORECARD, change, tmp_path), alone), said)


@pytest.mark.parametrize(("change", "said"), mistakes("alerts.md"))
def test_a_mistake_in_alerts_yml_says_what_the_page_says(change: str, said: str, tmp_path: Path) -> None:
    text = altered(ALERTS, change, tmp_path)
    assert_says(refused(tmp_path, text, lambda path: load_alerts(path, lenses={"overall"})), said)


def test_the_examples_are_right_before_the_mistake_is_made(tmp_path: Path) -> None:
    for name, text in (("pipeline.yml", PIPELINE), ("alerts.yml", ALERTS), ("standard.yml", SCORECARD)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert load_settings(tmp_path / "pipeline.yml", {}).company == "Acme"
    assert load_alerts(tmp_path / "alerts.yml", lenses={"overall"})
    assert alone(tmp_path / "standard.yml")


# --- Figures ---------------------------------------------------------------------------------------------------------


def test_the_scores_of_the_rules_are_right(tmp_path: Path) -> None:
    rows = [cells for _, cells in tables("scorecards.md", "rule")]
    assert len(rows) > 5
    for rule, value, score in rows:
        (tmp_path / "rule.yml").write_text(f"{{weight: 1, {rule.strip('`')}}}", encoding="utf-8")
        measure = ScoredMeasure.model_validate(read_document(tmp_path / "rule.yml").data)
        found = score_value(measure.segments, float(value))
        assert found is not None
        assert f"{found:.1f}".removesuffix(".0") == score, f"{rule} at {value}"


@pytest.mark.parametrize("day", ["day 1", "day 2"])
def test_the_worked_example_adds_up(day: str) -> None:
    *measures, total = (cells for _, cells in tables("scorecards.md", day))
    present = [(float(weight), float(score), share, points) for _, weight, score, share, points in measures if share]
    weight_present = sum(weight for weight, _, _, _ in present)
    for weight, score, share, points in present:
        assert share == f"{100 * weight / weight_present:.2f} %"
        assert points == f"{weight / weight_present * score:.2f}"
    score = sum(weight * score for weight, score, _, _ in present) / weight_present
    assert total[1:] == ["100", "", "100.00 %", f"{score:.2f}"]
    all_weight = sum(float(cells[1]) for cells in measures)
    low = sum(weight * score for weight, score, _, _ in present) / all_weight
    text = (PAGES / "scorecards.md").read_text(encoding="utf-8")
    if weight_present < all_weight:
        assert f"Coverage is {weight_present / all_weight:.0%}".replace("%", " %") in text
        assert f"With NPS at 0 the score would be {low:.2f}, at 100 it\nwould be {low + 15:.2f}." in text


# --- The tutorial ----------------------------------------------------------------------------------------------------


def test_the_tutorials_files_give_what_it_says(tmp_path: Path) -> None:
    text = (PROJECT_ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:csv|yaml)\n(.*?)```", text, re.DOTALL)
    names = ["my/data/customers.csv", "my/data/tickets.csv", "my/pipeline.yml", "my/scorecards/support.yml"]
    for name, block in zip(names, blocks, strict=True):
        assert f"`{name}`" in text
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(block, encoding="utf-8")
    assert load_scorecards(tmp_path / "my" / "scorecards")
    settings = load_settings(tmp_path / "my" / "pipeline.yml", {"HEALTH_DATA": str(tmp_path / "my" / "data")})
    with duckdb.connect() as con:
        prepare(con)
        results = [load_entity(con, settings, name, datetime(2026, 4, 1)) for name in ("accounts", "tickets")]
        rejected = con.execute("select column_name || ' ' || reason, line from raw_quarantine.rejected_rows").fetchall()
    assert [(result.rows_accepted, result.rows_rejected) for result in results] == [(3, 0), (7, 2)]
    assert all(f"`{reason}`" in text and f"line {line}" in text for reason, line in rejected)
