"""Writes docs/reference/{entities,measures,marts,command-line}.md and {scorecard,alerts}.schema.json from the code.

So they cannot say anything else.

.venv/bin/python scripts/reference.py            # write what has changed
.venv/bin/python scripts/reference.py --check    # write nothing; exit 1 if a page is stale, and name it
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import typer.main

from dagster_project.cli import app
from dagster_project.config_file import mapping, read_document, sequence
from dagster_project.entities import ENTITIES, SQL_TYPES, Column, Entity
from dagster_project.scorecards.json_schema import alerts_json_schema, scorecard_json_schema
from dagster_project.scorecards.measures import MEASURES_FOLDER, Measure, known_measures
from dagster_project.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "docs" / "reference"
MARTS_FILE = PROJECT_ROOT / "dbt_project" / "models" / "marts" / "_marts.yml"
WIDTH = 100  # of the command line's help, whatever terminal this runs in

_UNITS = {
    "ratio": ("a share of 1: 0.55 is 55 %", "55 %"),
    "change": ("a change as a share of 1: -0.1 is -10 %", "-10 %"),
    "days": ("whole days", "34 days"),
    "score": ("points", "34"),
    "number": ("a plain number", "34"),
}
_DIRECTIONS = {"up": "more is healthier", "down": "less is healthier", "middle": "neither none nor many is healthy"}


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or only compare them. Returns 0, or 1 if `--check` found a stale page."""
    if "--check" not in arguments:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name, text in pages().items():
            (FOLDER / name).write_text(text, encoding="utf-8")
        return 0
    stale = stale_pages()
    for name in stale:
        print(f"docs/reference/{name} does not say what the code says; `make reference` writes it again")
    return 1 if stale else 0


def stale_pages(folder: Path = FOLDER) -> list[str]:
    """The names of the pages in `folder` that are missing or differ from what the code says now."""
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.*")}
    return [name for name, text in pages().items() if found.get(name) != text]


def pages() -> dict[str, str]:
    """File name to text, of every page that is made here."""
    makers: dict[str, tuple[str, Callable[[], Iterator[str]]]] = {
        "entities.md": ("dagster_project/entities.py", _entities),
        "measures.md": ("dbt_project/models/measures", _measures),
        "marts.md": ("dbt_project/models/marts/_marts.yml", _marts),
        "command-line.md": ("dagster_project/cli.py", _command_line),
    }
    made = {
        name: f"<!-- Made from {source} by `make reference`; changes here are lost. -->\n\n" + "\n".join(make()) + "\n"
        for name, (source, make) in makers.items()
    }
    for name, source, schema in (
        ("scorecard", "schema", scorecard_json_schema(known_measures(), _meanings("scorecards.md"))),
        ("alerts", "alerts", alerts_json_schema(known_measures(), _meanings("alerts.md"))),
    ):
        told = f"Made from dagster_project/scorecards/{source}.py by `make reference`; changes here are lost."
        made[f"{name}.schema.json"] = json.dumps({"$comment": told, **schema}, indent=2, ensure_ascii=False) + "\n"
    return made


def _text(written: str) -> Iterator[str]:
    yield from textwrap.dedent(written).strip().splitlines()
    yield ""


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


# --- Entities --------------------------------------------------------------------------------------------------------


def _entities() -> Iterator[str]:
    yield from _text(
        """
        # Entities

        What a source can supply, and the contract each row must keep. [pipeline.md](pipeline.md) says how your files
        are mapped to these columns. A row that breaks its contract is set aside with its reason; the others are loaded.
        """
    )
    titles = ("entity", "one row is", "key", "it happened", "measures that rest on it")
    rows = (
        (f"[`{name}`](#{name})", entity.grain, _code(entity.key), f"`{entity.happened}`", _needing(name))
        for name, entity in ENTITIES.items()
    )
    yield from _table(titles, rows)
    yield from _text(
        """
        - **Key**: what makes a row the same row again. Of several rows with one key the newest counts, known since the
          first (so a later file may say what became of a ticket); of usage events the first; an account version that
          stands there twice is set aside. All of them are counted.
        - **It happened**: stands in for `known_at` where the mapping gives none. A user without it was always known.
        - **Required** columns must be mapped, and must have a value in every row.
        - **Filled in later** columns say what happened to the row afterwards (a ticket is solved, an invoice is paid).
          Each counts from its own time on: a score of an earlier day does not know it yet.
        - Dates and times lie between 1970-01-01 and 2200-01-01. Times are those of the company's clocks (`timezone` in
          pipeline.yml).
        - Where no **measure rests on it**, the entity is loaded, checked and counted, and takes no part in a measure.
          `overrides` act on the finished score all the same ([scorecards.md](scorecards.md)).
        """
    )
    yield from _table(("type", "in the warehouse"), ((kind, f"`{sql}`") for kind, sql in SQL_TYPES.items()))
    for entity in ENTITIES.values():
        yield from _entity(entity)


def _entity(entity: Entity) -> Iterator[str]:
    yield from (f"## {entity.name}", "", f"Domain: {entity.domain}. One row is: {entity.grain}.")
    if entity.settles:
        yield f"Filled in later: {_code(entity.settles)}."
    if entity.may_reach_account:
        yield (
            "The account may be reached instead of named: `account_id: {through: users}` needs `user_id`, "
            "`{through: subscriptions}` needs `subscription_id`."
        )
    yield ""
    rows = (
        (f"`{name}`", column.type, _required(entity, name, column), _limits(column), column.meaning)
        for name, column in entity.columns.items()
    )
    yield from _table(("column", "type", "required", "limits", "meaning"), rows)


def _required(entity: Entity, name: str, column: Column) -> str:
    if name == "account_id" and entity.may_reach_account:
        return "yes, or reached"
    return "yes" if column.required else ""


def _limits(column: Column) -> str:
    if column.allowed:
        return _code(column.allowed)
    if column.minimum is not None and column.maximum is not None:
        return f"{column.minimum:g} to {column.maximum:g}"
    if column.minimum is not None:
        return f"at least {column.minimum:g}"
    if column.after is not None:
        return f"after `{column.after}`"
    return f"at most {column.maximum:g}" if column.maximum is not None else ""


def _needing(entity: str) -> str:
    if entity == "accounts":
        return "all"
    measures = known_measures().values()
    return _code(measure.name for measure in measures if entity in {need.split(".")[0] for need in measure.needs})


# --- Measures --------------------------------------------------------------------------------------------------------


def _measures() -> Iterator[str]:
    yield from _text(
        """
        # Measures

        One number per account and day, from what was known by the end of that day. NULL is not known; 0 is known to be
        zero. How a measure is judged and weighed stands in the [scorecard](scorecards.md), not here.
        """
    )
    texts = {str(column.get("name")): column for column in _measure_columns()}
    measures = known_measures()
    rows = (
        (f"[`{one.name}`](#{one.name})", one.title, one.domain, one.unit, one.direction) for one in measures.values()
    )
    yield from _table(("measure", "title", "domain", "unit", "direction"), rows)
    for measure in measures.values():
        yield from _measure(measure, texts[measure.name])


def _measure_columns() -> Iterator[dict[str, Any]]:
    for path in sorted(MEASURES_FOLDER.glob("*.yml")):
        for model in sequence(read_document(path).data.get("models")):
            yield from (mapping(column) for column in sequence(mapping(model).get("columns")))


def _measure(measure: Measure, column: dict[str, Any]) -> Iterator[str]:
    unit, sample = _UNITS.get(measure.unit, (measure.unit, "34"))
    meta = mapping(mapping(mapping(column.get("config")).get("meta")).get("measure"))
    at = {"zero": meta.get("says_zero"), "one": meta.get("says_one")}
    special = "".join(f"; at {number}: “{says}”" for number, says in at.items() if says)
    yield from (
        f"## {measure.name}",
        "",
        f"{measure.title}. {' '.join(str(column.get('description', '')).split())}",
        "",
        f"- Unit: {measure.unit}, {unit}.",
        f"- Direction: {measure.direction}, {_DIRECTIONS.get(measure.direction, measure.direction)}.",
        f"- Rests on: {_code(measure.needs)} ([entities.md](entities.md)).",
        f"- In words, for example: “{measure.says.replace('{value}', sample)}”{special}.",
        "",
    )


# --- Marts -----------------------------------------------------------------------------------------------------------


def _marts() -> Iterator[str]:
    models = [mapping(model) for model in sequence(read_document(MARTS_FILE).data.get("models"))]
    yield from _text(
        """
        # Marts

        The public tables, in the schema `marts` of the published mart. [connect.md](../how-to/connect.md) says how to
        open it, [CHANGELOG.md](../../CHANGELOG.md) lists every change of a column. Scores lie between 0 and 100; higher
        is always healthier.
        """
    )
    names = sorted(str(model.get("name")) for model in models)
    by_name = {str(model.get("name")): model for model in models}
    yield from _table(("mart", "one row is"), ((f"[`{name}`](#{name})", _grain(by_name[name])[0]) for name in names))
    for name in names:
        yield from _mart(name, by_name[name])


def _grain(model: dict[str, Any]) -> tuple[str, str]:
    """The grain, and what else the description says."""
    grain, _, rest = str(model.get("description", "")).partition(". ")
    return grain.removeprefix("Grain: "), rest


def _mart(name: str, model: dict[str, Any]) -> Iterator[str]:
    grain, rest = _grain(model)
    yield from (f"## {name}", "", f"One row is: {grain}. {rest}")
    never_missing: set[object] = set()
    for test in sequence(model.get("data_tests")):
        arguments = mapping(mapping(mapping(test).get("unique_together")).get("arguments"))
        if unique := sequence(arguments.get("columns")):
            yield f"Unique: {_code(map(str, unique))}."
            never_missing |= {*unique, *sequence(arguments.get("never_missing"))}
    yield ""
    rows = []
    for column in (mapping(entry) for entry in sequence(model.get("columns"))):
        may_miss = "" if column["name"] in never_missing else "yes"
        rows.append((f"`{column['name']}`", str(column["data_type"]), may_miss, str(column.get("description", ""))))
    yield from _table(("column", "type", "may be NULL", "meaning"), rows)


# --- The scorecard's schema ------------------------------------------------------------------------------------------


def _meanings(page: str) -> dict[str, str]:
    """What a page says a key means, by the key's path; a test holds its tables to the code."""
    found: dict[str, str] = {}
    inside, title = "", ""
    for line in (FOLDER / page).read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("#"):
            inside, title = re.sub(r"<\w+>", "*", "".join(re.findall(r"`([^`]+)`", line)[:1])), ""
        elif not line.startswith("|"):
            title = ""
        elif title == "key" and not set(line) <= set("|-"):
            found[f"{inside}.{cells[0].strip('`')}".lstrip(".")] = cells[-1]
        else:
            title = title or cells[0]
    return found


# --- Command line ----------------------------------------------------------------------------------------------------


def _command_line() -> Iterator[str]:
    group = typer.main.get_command(app)
    yield from _text(
        """
        # Command line

        `make setup` puts `health` into `.venv/bin`. Two variables of the environment matter: `HEALTH_CONFIG` names
        another pipeline.yml, `HEALTH_DATA` another folder of files. A command ends with 0 if all is well, 1 if what it
        was asked for failed, 2 if the configuration or an option is wrong, 3 if another run, or another UI, of the
        company is at work, 4 if `health run` is done but a provider could not be read, or a channel or a CRM did not
        take what it was sent: the last lines say which and why.

        ## health
        """
    )
    yield from _help(group, _context(group, "health", None))
    whole = _context(group, "health", None)
    for name, command in getattr(group, "commands", {}).items():
        yield from (f"## health {name}", "", *_help(command, _context(command, name, whole)))


def _context(command: Any, name: str, parent: Any) -> Any:
    """Of the command's own class: typer brings a click of its own."""
    return command.context_class(command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH)


def _help(command: Any, context: Any) -> Iterator[str]:
    yield from ("```", *(line.rstrip() for line in command.get_help(context).splitlines()), "```", "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
