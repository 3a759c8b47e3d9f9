"""What happens to a company over some runs, told once; tests look at what it left (conftest.py).

Each story works on folders of its own and returns plain facts: exit codes, what was printed, copies of the marts.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.components import dbt_process
from dagster_project.components.dbt_models import dbt_environment
from dagster_project.components.scratch import rescored, scored_days
from dagster_project.connectors import landing
from dagster_project.connectors.casts import Clocks
from dagster_project.connectors.providers import module_of
from dagster_project.provider_settings import PROVIDERS
from dagster_project.scorecards.load import load_scorecards
from dagster_project.scorecards.proposals import parse_weights, with_weights
from dagster_project.settings import PROJECT_ROOT, load_settings
from sample.generate import generate
from sample.parameters import Parameters
from tests.integration.homes import LAST, Finished, Home, ask

AT_ONCE = 2
BEFORE = date(2025, 12, 28)  # the day up to which `through_before` is scored; three more follow
STRANGER = "U88888"  # a user that users.csv does not know at first
STRANGERS_ACCOUNT = "A0001"
WAKING, WOKEN_LATE = "A0057", "A0039"  # accounts gone silent, whose use then arrives late
CHANGED = "A0001"

End = Callable[[str], Any]  # waits for another story


@dataclass(frozen=True)
class Sample:
    """The sample company's files, as a whole and as they stood on BEFORE; and the truth about it."""

    landing: Path
    before: Path
    truth: Path


@dataclass(frozen=True)
class Story:
    """How it is told, and which other stories it takes up."""

    tell: Callable[[Path, Sample, End], Any]
    needs: tuple[str, ...]


STORIES: dict[str, Story] = {}


def in_order(names: set[str]) -> Iterator[str]:
    """The stories with all they need, those first: one that waits then only waits for one under way."""
    wanted = set(names)
    for name in reversed(STORIES):
        if name in wanted:
            wanted.update(STORIES[name].needs)
    return (name for name in STORIES if name in wanted)


def story(*needs: str) -> Callable[[Callable[[Path, Sample, End], Any]], Callable[[Path, Sample, End], Any]]:
    def add(tell: Callable[[Path, Sample, End], Any]) -> Callable[[Path, Sample, End], Any]:
        STORIES[tell.__name__] = Story(tell, needs)
        return tell

    return add


def make_sample(folder: Path) -> Sample:
    """Sixty accounts over a year. What arrives after BEFORE comes in a file of its own."""
    landing, before = folder / "landing", folder / "before"
    generate(landing, Parameters(accounts=60, months=12), say=lambda _: None)
    december = landing / "usage" / f"{LAST:%Y-%m}.parquet"
    with duckdb.connect() as connection:
        connection.execute("create table events as from read_parquet(?)", [str(december)])
        for file, condition in ((december, "<="), (december.with_name("later.parquet"), ">")):
            connection.execute(
                f"copy (from events where received_at::date {condition} date '{BEFORE}' "
                f"order by received_at, event_id) to '{file}' (format parquet)"
            )
    shutil.copytree(landing, before)
    (before / "usage" / "later.parquet").unlink()
    return Sample(landing, before, folder / "truth")


@dataclass(frozen=True)
class Base:
    """One run over all days, a second run while it was under way, and one more after it."""

    home: Home
    mart: Path
    run: Finished
    meanwhile: Finished
    pid: int
    again: Finished
    files: dict[str, tuple[int, int]]
    files_again: dict[str, tuple[int, int]]


@story()
def base(folder: Path, sample: Sample, end: End) -> Base:
    home = Home.make(folder, sample.landing)
    first = home.start("run")
    first.wait_until(lambda run: "accounts:" in run.text)
    meanwhile = home.run()
    run = first.finished().succeeded()
    mart, files = home.keep_mart("base"), home.files()
    again = home.run().succeeded()
    return Base(home, mart, run, meanwhile, first.process.pid, again, files, home.files())


@dataclass(frozen=True)
class Through:
    """A company that has come as far as BEFORE."""

    home: Home
    mart: Path


@story()
def through_before(folder: Path, sample: Sample, end: End) -> Through:
    home = Home.make(folder, sample.before)
    home.run("--from", "2025-04-15", "--to", f"{BEFORE}").succeeded()
    return Through(home, home.keep_mart("through"))


@dataclass(frozen=True)
class Daily:
    """A broken file, and its repair; then day by day; then days in the middle once more."""

    broken: Finished
    files_before: dict[str, tuple[int, int]]
    files_broken: dict[str, tuple[int, int]]
    days: Path
    replayed: Path
    replay: Finished
    home: Home


@story("through_before", "base")
def daily(folder: Path, sample: Sample, end: End) -> Daily:
    landing = folder / "landing"
    shutil.copytree(sample.landing, landing)
    home = end("through_before").home.copy(folder / "daily", landing)
    subscriptions = landing / "subscriptions.csv"
    sound = subscriptions.read_text()
    subscriptions.write_text(sound.replace("mrr_usd", "mmr_usd", 1))
    files_before = home.files()
    broken = home.run()
    files_broken = home.files()
    subscriptions.write_text(sound)
    for day in (BEFORE + timedelta(days=1), BEFORE + timedelta(days=2)):
        home.run("--from", f"{day}", "--to", f"{day}").succeeded()
    home.run().succeeded()  # the last day is what is due
    days = home.keep_mart("days")
    replay = home.run("--from", "2025-08-05", "--to", "2025-08-07").succeeded()
    return Daily(broken, files_before, files_broken, days, home.keep_mart("replayed"), replay, home)


@dataclass(frozen=True)
class Late:
    """Facts that come late: within the look-back, then older ones, which only --from works in."""

    within: Finished
    within_mart: Path
    left_open: list[tuple[Any, ...]]
    account_rows: list[tuple[Any, ...]]
    older: Finished
    older_mart: Path
    older_open: list[tuple[Any, ...]]
    worked_in_mart: Path
    finally_open: list[tuple[Any, ...]]
    fresh_mart: Path


@story("base")
def late(folder: Path, sample: Sample, end: End) -> Late:
    landing = folder / "landing"
    shutil.copytree(sample.landing, landing)
    home = end("base").home.copy(folder / "late", landing)
    is_open = f"select distinct day from raw_meta.open_days where day <= date '{LAST}' order by day"

    _add_usage(landing / "usage" / "late-1.parquet", _user_of(landing, WAKING), [date(2025, 12, 27), BEFORE])
    _add_usage(landing / "usage" / "late-2.parquet", STRANGER, [BEFORE])
    _change_account(landing / "accounts.csv")
    within = home.run().succeeded()
    within_mart, left_open = home.keep_mart("within"), home.ask_warehouse(is_open)
    account_rows = home.ask_warehouse("select count(*), count(distinct (account_id, known_at)) from raw_files.accounts")

    _add_usage(
        landing / "usage" / "old.parquet", _user_of(landing, WOKEN_LATE), [date(2025, 12, day) for day in (1, 3)]
    )
    older = home.run().succeeded()
    older_mart, older_open = home.keep_mart("older"), home.ask_warehouse(is_open)

    with (landing / "users.csv").open("a") as users:
        users.write(f"{STRANGER},{STRANGERS_ACCOUNT}\n")
    home.run("--from", "2025-12-01").succeeded()
    worked_in_mart, finally_open = home.keep_mart("worked_in"), home.ask_warehouse(is_open)

    fresh = Home.make(folder / "fresh", landing)
    fresh.run().succeeded()
    return Late(
        within, within_mart, left_open, account_rows, older, older_mart, older_open, worked_in_mart, finally_open,
        fresh.keep_mart("fresh"),
    )  # fmt: skip


def _user_of(landing: Path, account: str) -> str:
    lines = (line.split(",") for line in (landing / "users.csv").read_text().splitlines())
    return next(user for user, of in lines if of == account)


def _add_usage(file: Path, user: str, days: list[date]) -> None:
    """Forty events of one user, each known the morning after it happened."""
    with duckdb.connect() as connection:
        connection.execute(
            "create table events as from read_parquet(?) limit 0", [str(file.with_name("2025-12.parquet"))]
        )
        for day in days:
            known = datetime(day.year, day.month, day.day, 8)
            connection.execute(
                """
                insert into events by name
                select $name || '-' || day_number || '-' || number as event_id, $user as user_id,
                    ['reports', 'search', 'alerts'][1 + number % 3] as feature,
                    $known - interval 12 hour - to_minutes(number) as happened_at, 60 as seconds, $known as received_at
                from (select dayofyear($known) as day_number, unnest(range(40)) as number)
                """,
                {"name": file.stem, "user": user, "known": known},
            )
        connection.execute(f"copy events to '{file}' (format parquet)")


def _change_account(accounts: Path) -> None:
    """A newer version of one account, known on BEFORE: twice the seats."""
    lines = accounts.read_text().splitlines()
    header = lines[0].split(",")
    place = max(number for number, line in enumerate(lines) if line.startswith(f"{CHANGED},"))
    newer = dict(zip(header, lines[place].split(","), strict=True))
    newer |= {"seats": str(2 * int(newer["seats"])), "updated_at": f"{BEFORE} 09:00:00"}
    lines.insert(place + 1, ",".join(newer[name] for name in header))
    accounts.write_text("\n".join(lines) + "\n")


@dataclass(frozen=True)
class Restated:
    """The weights of the standard scorecard have changed, its version label has not."""

    mart: Path
    run: Finished


@story("base")
def restated(folder: Path, sample: Sample, end: End) -> Restated:
    scorecards = folder / "scorecards"
    shutil.copytree("config/scorecards", scorecards)
    standard = scorecards / "standard.yml"
    text = standard.read_text()
    assert "weight: 40 " in text, "the weight of the group usage is no longer 40: adapt this story"
    standard.write_text(text.replace("weight: 40 ", "weight: 80 "))
    home = end("base").home.copy(folder / "restated", scorecards=str(scorecards))
    run = home.run().succeeded()
    return Restated(home.keep_mart("restated"), run)


@dataclass(frozen=True)
class Stricter:
    """The line of the rule red_score has moved from 50 to 60, and nothing else."""

    mart: Path
    run: Finished


@story("base")
def stricter(folder: Path, sample: Sample, end: End) -> Stricter:
    folder.mkdir(parents=True)
    alerts, text = folder / "alerts.yml", Path("config/alerts.yml").read_text()
    assert "line: 50 " in text, "the line of the rule red_score is no longer 50: adapt this story"
    alerts.write_text(text.replace("line: 50 ", "line: 60 "))
    home = end("base").home.copy(folder / "stricter", alerts=str(alerts))
    run = home.run().succeeded()
    return Stricter(home.keep_mart("stricter"), run)


@dataclass(frozen=True)
class Imagined:
    """`health whatif`: with the weights of `restated`, with the scorecard in use, with a mistake, ended in the middle.

    `hashes` are of the warehouse before the first and after the last; `newest` is (account, score) on LAST as it would
    be by those weights.
    """

    reweighed: Finished
    same: Finished
    mistaken: Finished
    newest: list[tuple[Any, ...]]
    hashes: tuple[str, str]
    files: tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]]
    left_over: list[str]
    killed: Path


@story("base")
def imagined(folder: Path, sample: Sample, end: End) -> Imagined:
    home = end("base").home.copy(folder)
    settings = load_settings(folder / "pipeline.yml", {})
    copy = folder / "standard.yml"
    shutil.copy("config/scorecards/standard.yml", copy)
    before, files = _hash(home.warehouse), home.files()
    reweighed = home.start("whatif", "--weights", "usage=80").finished()
    same = home.start("whatif", "--scorecard", str(copy)).finished()
    copy.write_text(copy.read_text().replace("coverage_floor: 0.7 ", "coverage_floor: 7 "))
    mistaken = home.start("whatif", "--scorecard", str(copy)).finished()
    killed = _terminate(home, settings.home / "tmp")
    proposal = with_weights(load_scorecards(settings.scorecards), "overall", parse_weights("usage=80"), LAST)
    with rescored(settings, proposal, scored_days(settings), say=lambda _: None) as scratch:
        newest = ask(scratch, f"select account_id, score from main.after where day = date '{LAST}' order by 1")
    left_over = [path.name for path in (settings.home / "tmp").iterdir()]
    hashes = (before, _hash(home.warehouse))
    return Imagined(reweighed, same, mistaken, newest, hashes, (files, home.files()), left_over, killed)


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _terminate(home: Home, folder: Path) -> Path:
    """SIGTERM while dbt works on the scratch file, whose folder is returned."""
    under_way = home.start("whatif", "--weights", "usage=80")
    under_way.wait_until(lambda _: any(folder.glob("whatif-*/target")))
    (scratch,) = folder.glob("whatif-*")
    under_way.process.terminate()
    under_way.finished()
    return scratch


@dataclass(frozen=True)
class Explained:
    """The account that moved most in 30 days, explained."""

    account: str
    month: Finished
    week: Finished
    wrong: Finished


@story("base")
def explained(folder: Path, sample: Sample, end: End) -> Explained:
    home, mart = end("base").home, end("base").mart
    most = "select account_id from marts.current_health order by abs(trend_30d) desc nulls last, account_id limit 1"
    ((account,),) = ask(mart, most)
    month, week, wrong = (
        home.start("explain", account, *options).finished() for options in ((), ("--change", "7"), ("--change", "5"))
    )
    return Explained(account, month, week, wrong)


@dataclass(frozen=True)
class UnitTests:
    """What dbt says of the unit tests beside the models."""

    code: int
    out: str


@story("through_before")
def unit_tests(folder: Path, sample: Sample, end: End) -> UnitTests:
    """They need tables to learn the columns' types from, which a warehouse in use has; their rows are their own."""
    home = end("through_before").home.copy(folder)
    settings = load_settings(folder / "pipeline.yml", {})
    project = str(PROJECT_ROOT / "dbt_project")
    dbt = [sys.executable, "-P", "-m", dbt_process.__name__, *dbt_process.QUIETLY]
    places = [
        "--project-dir", project, "--profiles-dir", project,
        "--target-path", str(folder / "target"), "--log-path", str(folder / "target"),
    ]  # fmt: skip
    # Of a provider that is not enabled not even the tables are there.
    keys = {
        "api_key": "env:KEY",
        "project": 7,
        "client_id": "env:ID",
        "client_secret": "env:SECRET",
        "user": "env:USER",
        "url": "https://api.example",
        "match": {"by": ["email_domain"]},
        "forms": {"f": {"kind": "nps", "score": "q"}},
    }
    with duckdb.connect(str(home.warehouse)) as warehouse:
        for name, kind in PROVIDERS.items():
            source = kind.model_validate({key: value for key, value in keys.items() if key in kind.model_fields})
            landing.prepare(warehouse, name, module_of(name).tables(source), Clocks("UTC", "UTC"))
    (folder / "target").mkdir()
    shutil.copy(PROJECT_ROOT / "dbt_project" / "target" / "partial_parse.msgpack", folder / "target")
    environ = {**os.environ, **dbt_environment(settings), "HEALTH_WAREHOUSE": str(home.warehouse)}
    staged = [*dbt, "run", "--select", *(f"tag:{name}" for name in PROVIDERS), *places]
    subprocess.run(staged, env=environ, capture_output=True, text=True, check=True)
    tested = [*dbt, "test", "--select", "test_type:unit", *places]
    done = subprocess.run(tested, env=environ, capture_output=True, text=True, check=False)
    return UnitTests(done.returncode, done.stdout + done.stderr)
