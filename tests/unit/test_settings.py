"""pipeline.yml: what is read from it, and the sentence that each mistake gets."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from dagster_project.entities import ENTITIES
from dagster_project.settings import PROJECT_ROOT, ConfigError, Settings, format_of, load_settings

GOOD = """\
company: Acme
home: var/acme
timezone: Europe/Berlin
days: {first: 2026-01-01, last: 2026-01-31}
key_features:
  default: [reports, search]
  pro: [search, api]
sources:
  files:
    folder: data
    entities:
      accounts:
        files: accounts.csv
        columns: {account_id: id, created_on: {column: since, format: "%d/%m/%Y"}}
      subscriptions:
        files: [subs.csv.gz, more/subs.jsonl]
        columns: {subscription_id: id, account_id: account, started_on: start, mrr: {column: cents, scale: 0.01}}
      usage_events:
        files: usage/*.parquet
        columns: {subscription_id: sub, account_id: {through: subscriptions}, occurred_at: at}
      tickets:
        files: tickets
        format: csv
        columns: {ticket_id: id, account_id: a, created_at: c, severity: {column: p, values: {1: low, P1: urgent}}}
"""


def write(folder: Path, text: str, name: str = "pipeline.yml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def load(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    return load_settings(write(folder, text), environ or {})


def problems(folder: Path, text: str) -> list[str]:
    """The problems of a file, each as `line: rest`."""
    with pytest.raises(ConfigError) as refused:
        load(folder, text)
    prefix = f"{folder}/pipeline.yml:"
    assert all(problem.startswith(prefix) for problem in refused.value.problems), refused.value.problems
    return [problem.removeprefix(prefix) for problem in refused.value.problems]


def test_the_shipped_files_are_legal() -> None:
    for name in ("config/pipeline.yml", "examples/ravenstack/pipeline.yml"):
        settings = load_settings(PROJECT_ROOT / name, {})
        assert settings.home.is_absolute()
        assert settings.sources.files is not None


def test_a_file_is_read_into_absolute_paths_and_complete_mappings(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD)
    files = settings.sources.files
    assert files is not None
    assert settings.home == PROJECT_ROOT / "var/acme"
    assert settings.warehouse_path == PROJECT_ROOT / "var/acme/warehouse.duckdb"
    assert settings.mart_folder == PROJECT_ROOT / "var/acme/published"
    assert settings.page_path == PROJECT_ROOT / "var/acme/published/health.html"
    assert settings.scorecards == PROJECT_ROOT / "config/scorecards"
    assert files.folder == PROJECT_ROOT / "data"
    assert files.entities["subscriptions"].files == ("subs.csv.gz", "more/subs.jsonl")
    assert files.entities["accounts"].columns["account_id"].column == "id"
    assert files.entities["usage_events"].columns["account_id"].through == "subscriptions"
    assert files.entities["tickets"].columns["severity"].values == {"1": "low", "P1": "urgent"}
    assert files.entities["subscriptions"].columns["mrr"].scale == 0.01
    assert settings.days.first == date(2026, 1, 1)


def test_features_have_one_bit_each_over_all_plans(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).features == ["reports", "search", "api"]


def test_the_environment_names_another_config_and_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, GOOD, "other.yml")
    monkeypatch.chdir(tmp_path)
    settings = load_settings(None, {"HEALTH_CONFIG": "other.yml", "HEALTH_DATA": "landing"})
    assert settings.config_path == tmp_path / "other.yml"
    assert settings.sources.files is not None
    assert settings.sources.files.folder == tmp_path / "landing"


def test_the_last_day_is_yesterday_where_none_is_named_and_never_before_the_first(tmp_path: Path) -> None:
    named = load(tmp_path, GOOD)
    live = load(tmp_path, GOOD.replace(", last: 2026-01-31", ""))
    assert named.last_day(date(2030, 1, 1)) == date(2026, 1, 31)
    assert live.last_day(date(2026, 3, 1)) == date(2026, 2, 28)
    assert live.last_day(date(2025, 3, 1)) == date(2026, 1, 1)


def test_the_hash_changes_with_what_changes_numbers_only(tmp_path: Path) -> None:
    base = load(tmp_path, GOOD).content_hash
    for same in (("home: var/acme", "home: elsewhere"), ("folder: data", "folder: x"), ("company: Acme", "company: B")):
        assert load(tmp_path, GOOD.replace(*same)).content_hash == base
    for other in (("Europe/Berlin", "UTC"), ("scale: 0.01", "scale: 0.1"), ("[search, api]", "[api, search]")):
        assert load(tmp_path, GOOD.replace(*other)).content_hash != base


MISTAKES = {
    "unknown key": (
        ("timezone: Europe/Berlin", "timezon: Europe/Berlin"),
        "3: timezon: unknown key; did you mean 'timezone'? legal: company, home, timezone, days, ",
    ),
    "unknown key deep inside": (
        ("format: csv", "fromat: csv"),
        "23: sources.files.entities.tickets.fromat: unknown key; did you mean 'format'? legal: files, format, ",
    ),
    "duplicate key": (("timezone: Europe/Berlin", "company: B"), "3: company: stands here twice (first on line 1)"),
    "path that is empty": (("home: var/acme", 'home: ""'), "2: home: should not be empty"),
    "path that is no text": (("folder: data", "folder: [data]"), "10: sources.files.folder: should be text, is a list"),
    "missing key": (("company: Acme\n", ""), "1: company: is missing"),
    "text is wanted": (("company: Acme", "company: 5"), "1: company: should be text, is 5; put it in quotes"),
    "day that is not in the calendar": (
        ("first: 2026-01-01", "first: 2026-02-30"),
        "4: days.first: 2026-02-30 is not a day of the calendar",
    ),
    "date in another order": (
        ("first: 2026-01-01", "first: 01/02/2026"),
        "4: days.first: should be a date written as YYYY-MM-DD, such as 2026-06-30; is '01/02/2026'",
    ),
    "last day before the first": (
        ("last: 2026-01-31", "last: 2025-12-31"),
        "4: days.last: 2025-12-31 is before the first day, 2026-01-01",
    ),
    "time zone": (
        ("Europe/Berlin", "Europe/Berln"),
        "3: timezone: 'Europe/Berln' is no time zone; did you mean 'Europe/Berlin'?",
    ),
    "look-back": (
        ("company: Acme", "company: Acme\nlook_back_days: -1"),
        "2: look_back_days: should be at least 0, is -1",
    ),
    "no default features": (("default: [reports", "basic: [reports"), "5: key_features: 'default' is missing"),
    "no accounts": (
        ("      accounts:", "      users:"),
        "11: sources.files.entities: 'accounts' is missing: without it there is nobody to score",
    ),
    "unknown entity": (
        ("      tickets:", "      ticket:"),
        "21: sources.files.entities.ticket: unknown entity; did you mean 'tickets'? legal: accounts, users, ",
    ),
    "unknown column": (
        ("severity: {", "severty: {"),
        "24: sources.files.entities.tickets.columns.severty: unknown column; did you mean 'severity'? legal: ",
    ),
    "required column": (
        ("ticket_id: id, ", ""),
        "24: sources.files.entities.tickets.columns: 'ticket_id' (the ticket) is missing; map it",
    ),
    "no way to the account": (
        ("account_id: {through: subscriptions}, ", ""),
        "20: sources.files.entities.usage_events.columns: 'account_id' is missing; map it, or reach it",
    ),
    "through without its key": (
        ("{subscription_id: sub, ", "{"),
        "20: sources.files.entities.usage_events.columns.account_id: to go through subscriptions, map",
    ),
    "through an entity that is not there": (
        ("{through: subscriptions}", "{through: users}"),
        "20: sources.files.entities.usage_events.columns.account_id: goes through users, which this source does not",
    ),
    "through for another column": (
        ("ticket_id: id", "ticket_id: {through: users}"),
        "24: sources.files.entities.tickets.columns.ticket_id.through: only account_id can be reached through",
    ),
    "two ways for one column": (
        ("{column: cents, scale: 0.01}", "{column: cents, value: 3}"),
        "17: sources.files.entities.subscriptions.columns.mrr: should have exactly one of column (of the file), "
        "value (a constant) and through; has column and value",
    ),
    "format of a text": (
        ("ticket_id: id", "ticket_id: {column: id, format: '%d'}"),
        "24: sources.files.entities.tickets.columns.ticket_id.format: is for dates and times; ticket_id is text",
    ),
    "format without a code": (
        ('"%d/%m/%Y"', "dd/mm/yyyy"),
        "14: sources.files.entities.accounts.columns.created_on.format: 'dd/mm/yyyy' has no % code",
    ),
    "scale of a text": (
        ("ticket_id: id", "ticket_id: {column: id, scale: 2}"),
        "24: sources.files.entities.tickets.columns.ticket_id.scale: is for numbers; ticket_id is text",
    ),
    "format that the name does not tell": (
        ("        format: csv\n", ""),
        "22: sources.files.entities.tickets.files: 'tickets' does not tell its format; add `format:`",
    ),
    "glob out of the folder": (
        ("files: accounts.csv", "files: ../accounts.csv"),
        "13: sources.files.entities.accounts.files[0]: '../accounts.csv' leads out of the source's folder",
    ),
    "encoding": (
        ("format: csv", "encoding: ebcdic\n        format: csv"),
        "23: sources.files.entities.tickets.encoding: 'ebcdic' is not legal; legal: utf-8, latin-1, utf-16",
    ),
    "no source": (
        (GOOD[GOOD.index("sources:") :], "sources: {}\n"),
        "8: sources: names no source, so there is nothing to score; legal: files",
    ),
    "mart that is not there": (
        ("company: Acme", "company: Acme\ndestinations:\n  exports: [{name: a, table: curent_health}]"),
        "3: destinations.exports[0].table: 'curent_health' is no mart; did you mean 'current_health'?",
    ),
    "schedule": (
        ("company: Acme", "company: Acme\nschedule: {enabled: true, at: 24:00}"),
        '2: schedule.at: should be a time of day written as "HH:MM", such as "06:00"; is \'24:00\'',
    ),
    "yes is a word": (
        ("company: Acme", "company: Acme\nschedule: {enabled: yes}"),
        "2: schedule.enabled: should be true or false, is 'yes'",
    ),
    "memory": (
        ("company: Acme", "company: Acme\nwarehouse: {memory_limit: much}"),
        "2: warehouse.memory_limit: should be a size, such as 1GB or 512MB; is 'much'",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_line_and_key(tmp_path: Path, name: str) -> None:
    change, sentence = MISTAKES[name]
    assert change[0] in GOOD
    found = problems(tmp_path, GOOD.replace(*change, 1))
    assert [problem for problem in found if problem.startswith(sentence)], found


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = GOOD
    for name in ("unknown column", "unknown key deep inside", "duplicate key", "no default features", "time zone"):
        text = text.replace(*MISTAKES[name][0], 1)
    text = text.replace("first: 2026-01-01", "first: soon")
    lines = [int(problem.split(":")[0]) for problem in problems(tmp_path, text)]
    assert lines == [3, 4, 5, 22, 23, 24]  # 22: without `format`, the name of the file does not tell it


def test_more_features_than_bits_are_refused(tmp_path: Path) -> None:
    names = ", ".join(f"f{number}" for number in range(59))  # and the two of the default
    found = problems(tmp_path, GOOD.replace("[search, api]", f"[{names}]"))
    assert found == ["5: key_features: has 61 different features; at most 60 can be counted"]


SYNTAX = {
    "a tab": ("company: A\n\thome: x\n", "2: is not valid YAML: a tab; indent with spaces"),
    "an open quote": (
        'company: "A\nhome: x\n',
        ": is not valid YAML: a quote is opened and not closed (begun on line 1)",
    ),
    "an open bracket": ("a: 1\nb: [1, 2\nc: 3\n", ": is not valid YAML: a { or [ is not closed, or a ',' is missing"),
    "a colon in text": ("a: b: c\n", "1: is not valid YAML: a ':' that cannot stand here"),
    "an empty file": ("", "1: the file is empty"),
    "a list": ("- a\n", "1: should be a mapping of keys (`key: value`), is a list"),
    "an endless alias": ("company: &a [*a]\n", "1: company[0]: an alias (*name) repeats itself without end"),
    "a tag that would run code": (
        "company: !!python/object:os.system x\n",
        "1: company: the tag !!python/object:os.system",
    ),
}


@pytest.mark.parametrize("name", SYNTAX)
def test_yaml_that_cannot_be_read_is_told_in_a_sentence(tmp_path: Path, name: str) -> None:
    text, sentence = SYNTAX[name]
    found = problems(tmp_path, text)
    assert sentence in found[0] or any(sentence in problem for problem in found), found


def test_a_file_that_is_not_there_or_not_text_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.yml: there is no such file; check the path"):
        load_settings(tmp_path / "no.yml", {})
    with pytest.raises(ConfigError, match=r"is a folder; name a \.yml file in it"):
        load_settings(tmp_path, {})
    (tmp_path / "pipeline.yml").write_bytes(b"company: A\nhome: \xff\xfe\n")
    with pytest.raises(ConfigError, match=r"pipeline\.yml:2: is not UTF-8 text; save the file as UTF-8"):
        load_settings(tmp_path / "pipeline.yml", {})


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load_settings(tmp_path / "pipeline.yml", {}).company == "Acme"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", "csv"),
        ("usage/*.PARQUET", "parquet"),
        ("x.jsonl.gz", "jsonl"),
        ("x.ndjson.zst", "jsonl"),
        ("x.json", None),
    ],
)
def test_the_format_is_told_by_the_name(name: str, expected: str | None) -> None:
    assert format_of(name) == expected


def test_every_entity_can_be_mapped_by_its_required_columns(tmp_path: Path) -> None:
    """An entity that needs a column which no mapping can give could never be used."""
    for entity in ENTITIES.values():
        required = {name: name for name, column in entity.columns.items() if column.required}
        if entity.may_reach_account:
            required["account_id"] = "account_id"
        mapping = ", ".join(f"{name}: {column}" for name, column in required.items())
        text = GOOD[: GOOD.index("      subscriptions:")]
        if entity.name != "accounts":
            text += f"      {entity.name}:\n        files: a.csv\n        columns: {{{mapping}}}\n"
        assert load(tmp_path, text).sources.files


def test_settings_load_without_heavy_imports() -> None:
    """Every step process reads the settings: pandas or pyarrow here would cost each of them a second."""
    heavy = "{'pandas', 'pyarrow', 'dagster', 'duckdb'}"
    code = f"import sys, dagster_project.settings; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT_ROOT)
    assert done.stdout.strip() == "[]"
