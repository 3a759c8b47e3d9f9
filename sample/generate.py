"""Making the sample company's files: once for a seed, whole or not at all."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from sample.company import Company, draw_company
from sample.contracts import account_rows, draw_terms, outcome_rows, seats_by_day, subscription_rows
from sample.dirt import plant_events, plant_rows
from sample.engagement import engagement_rows
from sample.files import PlacedPlant, hash_of_files, write_parquet, write_rows
from sample.invoices import invoice_rows
from sample.judgement import override_rows, pulse_rows
from sample.parameters import GENERATOR_VERSION, Parameters, Row, SampleError
from sample.support import ticket_rows
from sample.surveys import survey_rows
from sample.truth import truth_account_rows, truth_dirt, truth_month_rows
from sample.usage import UsageFile, draw_usage, draw_users, user_rows

Say = Callable[[str], None]
MARKER = ".sample.json"  # in the landing: what it was made from
TRUTH_SIGN = "dirt.json"
FILES = {  # by entity, as config/pipeline.yml maps them; tickets and usage events go by month
    "accounts": "accounts.csv",
    "users": "users.csv",
    "subscriptions": "subscriptions.csv",
    "survey_responses": "surveys.csv",
    "invoices": "invoices.csv.zst",
    "engagement_events": "engagement.jsonl",
    "outcomes": "outcomes.csv",
    "pulses": "pulses.csv",
    "overrides": "overrides.csv",
}


@dataclass(frozen=True)
class Sample:
    """Everything there is to write: rows by entity, usage files, and the company they were drawn from."""

    company: Company
    tables: dict[str, list[Row]]
    usage: list[UsageFile]
    stray: str  # the usage file with the events of an unknown user


def generate(folder: Path, parameters: Parameters, *, force: bool = False, say: Say = print) -> bool:
    """Make the landing in `folder` and the truth in `truth` beside it; True if anything was made.

    A landing made from the same parameters by this version is left alone, even if somebody has changed its files
    since; `force` makes it anew. Both folders are built aside and then moved into place.

    Raises SampleError if either folder holds files that did not come from here: nobody's own data is replaced.
    """
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at once would build in the same place
        _refuse_foreign(folder, MARKER)
        _refuse_foreign(folder.parent / "truth", TRUTH_SIGN)
        if not force and _is_there(folder, parameters, say):
            return False
        aside = folder.parent / f".{folder.name}.part"
        shutil.rmtree(aside, ignore_errors=True)  # what an interrupted run left
        sample = draw_sample(parameters)
        _write(sample, aside, folder.name, say)
        _move(aside / "truth", folder.parent / "truth")
        _move(aside / folder.name, folder)  # last: its marker says that all is there
        aside.rmdir()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    say(
        f"sample company: {parameters.accounts} accounts, {parameters.first_day} to {parameters.last_day}, "
        f"seed {parameters.seed}, {size / 1e6:.1f} MB in {folder}"
    )
    return True


def draw_sample(parameters: Parameters) -> Sample:
    """Draw the company and all its rows, the planted ones among them."""
    company = draw_company(parameters)
    terms = draw_terms(company)
    users = draw_users(company, terms)
    tables = {
        "accounts": account_rows(company, terms),
        "users": user_rows(company, users),
        "subscriptions": subscription_rows(company, terms),
        "tickets": ticket_rows(company, seats_by_day(company, terms)),
        "survey_responses": survey_rows(company, users),
        "invoices": invoice_rows(company, terms),
        "engagement_events": engagement_rows(company),
        "outcomes": outcome_rows(company, terms),
        "pulses": pulse_rows(company),
        "overrides": override_rows(company),
    }
    plant_rows(tables)
    usage, place = plant_events(draw_usage(company, users))
    return Sample(company, tables, usage, _usage_path(usage[place]))


def _write(sample: Sample, aside: Path, name: str, say: Say) -> None:
    """Write the landing and the truth below `aside`, the marker last."""
    landing, truth = aside / name, aside / "truth"
    planted: list[tuple[str, PlacedPlant]] = []
    for file in sample.usage:
        write_parquet(landing / _usage_path(file), file.table)
    _report(say, "usage_events", sum(file.table.num_rows for file in sample.usage), len(sample.usage))
    for entity, rows in sample.tables.items():
        parts = {FILES[entity]: rows} if entity in FILES else _by_month(rows)
        for path, part in parts.items():
            planted += [(path, one) for one in write_rows(landing / path, part)]
        _report(say, entity, len(rows), len(parts))
    write_rows(truth / "accounts.csv", truth_account_rows(sample.company))
    write_rows(truth / "monthly.csv", truth_month_rows(sample.company))
    dirt = truth_dirt(sample.usage, sample.stray, planted)
    (truth / TRUTH_SIGN).write_text(json.dumps(dirt, indent=2) + "\n", encoding="utf-8")
    marker = {**_made_from(sample.company.parameters), "files": _files_in(landing)}
    marker["hash"] = hash_of_files(landing, _files_in(landing))
    (landing / MARKER).write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")


def _report(say: Say, entity: str, rows: int, files: int) -> None:
    """One line of progress."""
    say(f"  {entity:<18} {rows:>9,} rows in {files} file{'s' if files > 1 else ''}")


def _usage_path(file: UsageFile) -> str:
    """Where a usage file goes in the landing."""
    return f"usage/{file.month}.parquet"


def _by_month(tickets: list[Row]) -> dict[str, list[Row]]:
    """Tickets by the file of the month in which they were opened."""
    return {
        f"tickets/{month}.jsonl.gz": list(rows)
        for month, rows in groupby(tickets, key=lambda row: str(row["opened_at"])[:7])
    }


def _files_in(landing: Path) -> list[str]:
    """Names of a landing's files, sorted, the marker left out."""
    paths = (path.relative_to(landing).as_posix() for path in landing.rglob("*") if path.is_file())
    return sorted(path for path in paths if path != MARKER)


def _made_from(parameters: Parameters) -> dict[str, object]:
    """What decides a landing's bytes, as the marker holds it."""
    return {
        "version": GENERATOR_VERSION,
        "seed": parameters.seed,
        "accounts": parameters.accounts,
        "months": parameters.months,
        "first_day": parameters.first_day.isoformat(),
    }


def _refuse_foreign(folder: Path, sign: str) -> None:
    """Raise SampleError if the folder holds files, but not the one that every folder made here has."""
    if folder.exists() and any(folder.iterdir()) and not (folder / sign).is_file():
        raise SampleError(f"{folder} holds files that were not made here, and would be replaced; name another folder")


def _is_there(folder: Path, parameters: Parameters, say: Say) -> bool:
    """Whether the landing is there, whole, and made from these parameters by this version."""
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        listed = [str(path) for path in marker["files"]]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False  # nothing there, or a broken marker: made anew
    asked = _made_from(parameters)
    whole = all((folder / path).is_file() for path in listed) and (folder.parent / "truth" / TRUTH_SIGN).is_file()
    if not whole or {name: marker.get(name) for name in asked} != asked:
        return False
    changed = "" if hash_of_files(folder, listed) == marker.get("hash") else "changed since it was made; "
    say(f"sample company: already in {folder} (seed {parameters.seed}; {changed}--force makes it anew)")
    return True


def _move(source: Path, target: Path) -> None:
    """Put a finished folder in its place; the old one steps aside first: no call replaces a folder in one step."""
    old = target.parent / f".{target.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    source.rename(target)
    shutil.rmtree(old, ignore_errors=True)
