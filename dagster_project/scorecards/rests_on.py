"""Which measures rest on a column of the input: read from the staging SQL and from what measures say they need."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from dagster_project.entities import ENTITIES
from dagster_project.scorecards.measures import known_measures
from dagster_project.settings import PROJECT_ROOT

STAGING = PROJECT_ROOT / "dbt_project" / "models" / "staging"
_MATCHING = "customers"  # by them the provider's records find their accounts: every measure rests on that
_BESIDE = {  # what a measure takes where the column that it names is not given, and what it reads that column with
    "tickets.first_replied_at": ("first_response_minutes",),
    "tickets.csat_rating": ("csat_scale",),
    "survey_responses": ("scale",),
    "usage_events": ("quantity",),
}
_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_BRACKETS = re.compile(r"\((?![^()]*\bselect\b)([^()]*)\)")


def measures_resting_on(provider: str, columns: Iterable[tuple[str, str]], staging: Path = STAGING) -> list[str]:
    """The measures, in the order written, that a (raw table, column) of the provider reaches through its staging.

    Names alone are followed, from alias to alias: rather one measure too many is named than one too few.
    """
    wanted = set(columns)
    models = {
        path.stem.rpartition("__")[2]: path.read_text() for path in sorted((staging / provider).glob("stg_*.sql"))
    }
    needed: set[str] = set()
    for entity, sql in models.items():
        raw = {column for table, column in wanted if re.search(rf"'raw_{provider}', '{table}'", sql)}
        if not raw:
            continue
        if entity == _MATCHING and raw & _reached(sql, {"customer_id", "external_id", "domain", "email_domain"}):
            needed.update(models)
        elif entity in ENTITIES:
            needed.update(f"{entity}.{one}" for one in ENTITIES[entity].columns if raw & _reached(sql, {one}))
    return _measures_that_need(needed)


def told(entity: str, columns: Iterable[str]) -> str:
    """`; measures that need it: ...` for columns of an entity; empty where no measure does."""
    measures = _measures_that_need({f"{entity}.{column}" for column in columns})
    return f"; measures that need it: {', '.join(measures)}" if measures else ""


def _measures_that_need(needed: set[str]) -> list[str]:
    return [name for name, measure in known_measures().items() if any(_rests(need, needed) for need in measure.needs)]


def _rests(need: str, needed: set[str]) -> bool:
    """A measure that needs a whole entity needs what every row has, and what is filled in later in a row's life."""
    entity, _, column = need.partition(".")
    if entity in needed:
        return True
    contract = ENTITIES[entity]
    basic = [name for name, one in contract.columns.items() if one.required]
    of_all = {"account_id", *contract.key, contract.happened, *basic}
    columns = {*of_all, *contract.settles, column, *_BESIDE.get(need, ())}
    return any(f"{entity}.{one}" in needed for one in columns)


def _reached(sql: str, names: set[str]) -> set[str]:
    """Every name that these columns are made of, anywhere in the statement."""
    made: dict[str, set[str]] = {}
    for item in _items(sql):
        words = _WORD.findall(item)
        if words:
            made.setdefault(words[-1], set()).update(words)
    found, waiting = set(names), list(names)
    while waiting:
        for word in made.get(waiting.pop(), set()) - found:
            found.add(word)
            waiting.append(word)
    return found


def _items(sql: str) -> list[str]:
    """The items of each select, with their alias at the end; what a function is given is one item with it."""
    text = re.sub(r"--.*", "", sql)
    text = re.sub(r"\{\{.*?\}\}", lambda macro: " ".join(re.findall(r"'([^']*)'", macro[0])), text, flags=re.DOTALL)
    text = re.sub(r"\{[%#].*?[%#]\}", " ", text, flags=re.DOTALL)
    text = re.sub(r"'[^']*'", " ", text)
    before = ""
    while text != before:
        before, text = text, _BRACKETS.sub(lambda one: " " + re.sub(r",|\b(from|where)\b", " ", one[1]), text)
    return re.split(r"[,()]|\b(?:select|from|where)\b", text)
