"""The sample company: the same seed gives the same bytes, and the truth beside the data is what the data shows."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import yaml

from dagster_project.entities import ENTITIES
from sample.__main__ import main
from sample.generate import MARKER, generate
from sample.parameters import Parameters, SampleError

ROOT = Path(__file__).parents[2]
SMALL = Parameters(seed=7, accounts=20, months=4)
MEDIUM = Parameters(seed=7, accounts=80, months=12)


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder (locks are no output)."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def make(folder: Path, parameters: Parameters, *, force: bool = False) -> list[str]:
    """Make a company in `folder`/landing; returns what was said."""
    said: list[str] = []
    generate(folder / "landing", parameters, force=force, say=said.append)
    return said


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    make(folder, SMALL)
    return folder


@pytest.fixture(scope="module")
def medium(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("medium")
    make(folder, MEDIUM)
    return folder


@pytest.fixture(scope="module")
def con(medium: Path) -> duckdb.DuckDBPyConnection:
    """The medium company as tables, read by DuckDB alone: nothing of the generator's own counting."""
    con = duckdb.connect()
    landing, truth = medium / "landing", medium / "truth"
    for name in ("accounts", "users", "subscriptions", "surveys", "outcomes", "pulses", "overrides"):
        con.execute(f"create table {name} as from read_csv('{landing}/{name}.csv', header = true, all_varchar = true)")
    con.execute(f"create table invoices as from read_csv('{landing}/invoices.csv.zst', all_varchar = true)")
    con.execute(f"create table tickets as from read_json('{landing}/tickets/*.jsonl.gz', filename = true)")
    con.execute(f"create table engagement as from read_json('{landing}/engagement.jsonl')")
    con.execute(f"create table usage_rows as from read_parquet('{landing}/usage/*.parquet', filename = true)")
    con.execute("create table events as select distinct * exclude (filename) from usage_rows")
    con.execute(f"create table truth as from read_csv('{truth}/accounts.csv')")
    con.execute(f"create table monthly as from read_csv('{truth}/monthly.csv', types = {{'month': 'varchar'}})")
    return con


@pytest.fixture(scope="module")
def dirt(medium: Path) -> dict:
    return json.loads((medium / "truth" / "dirt.json").read_text())


def value(con: duckdb.DuckDBPyConnection, query: str) -> float:
    """The one number a query gives."""
    row = con.execute(query).fetchone()
    assert row is not None and row[0] is not None, query
    return row[0]


# --- the same seed, the same bytes


def test_the_same_seed_gives_the_same_bytes_in_another_process(small: Path, tmp_path: Path) -> None:
    """Another process has another hash seed and another clock; neither may show in a file."""
    arguments = ["--seed", "7", "--accounts", "20", "--months", "4", "--folder", str(tmp_path / "landing")]
    subprocess.run([sys.executable, "-m", "sample", *arguments], cwd=ROOT, check=True, capture_output=True)
    assert hashes(tmp_path) == hashes(small)
    for packed in (tmp_path / "landing" / "tickets").glob("*.gz"):
        assert packed.read_bytes()[4:8] == bytes(4), "a time of making in the header"


def test_another_seed_gives_other_bytes(small: Path, tmp_path: Path) -> None:
    make(tmp_path, Parameters(seed=8, accounts=20, months=4))
    one, other = hashes(small), hashes(tmp_path)
    both = one.keys() & other.keys()
    assert len(both) > 15
    assert not [path for path in both if one[path] == other[path]]


# --- made once, whole or not at all


def test_a_landing_that_is_there_is_left_alone(tmp_path: Path) -> None:
    make(tmp_path, SMALL)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.suffix != ".lock"}
    said = make(tmp_path, SMALL)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.suffix != ".lock"}
    assert len(said) == 1 and "already in" in said[0] and "changed" not in said[0]


def test_a_changed_landing_is_left_alone_and_said_until_forced(small: Path, tmp_path: Path) -> None:
    make(tmp_path, SMALL)
    users = tmp_path / "landing" / "users.csv"
    users.write_text("user_id,account_id\n")
    assert "changed since it was made" in make(tmp_path, SMALL)[0]
    assert users.read_text() == "user_id,account_id\n"
    make(tmp_path, SMALL, force=True)
    assert hashes(tmp_path) == hashes(small)


@pytest.mark.parametrize("lost", ["landing/users.csv", "truth/dirt.json", f"landing/{MARKER}"])
def test_what_is_incomplete_is_made_anew_or_refused(small: Path, tmp_path: Path, lost: str) -> None:
    make(tmp_path, SMALL)
    (tmp_path / lost).unlink()
    if lost == "landing/users.csv":
        make(tmp_path, SMALL)
        assert hashes(tmp_path) == hashes(small)
    else:
        with pytest.raises(SampleError, match="not made here"):
            make(tmp_path, SMALL)


def test_other_parameters_replace_the_landing(small: Path, tmp_path: Path) -> None:
    make(tmp_path, Parameters(seed=8, accounts=20, months=4))
    make(tmp_path, SMALL)
    assert hashes(tmp_path) == hashes(small)


def test_an_interrupted_run_leaves_no_half_sample(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the middle of writing, there is no landing at all; the next run makes it whole."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("sample.generate.truth_account_rows", stop)
        make(tmp_path, SMALL)
    assert not (tmp_path / "landing").exists() and not (tmp_path / "truth").exists()
    make(tmp_path, SMALL)
    assert hashes(tmp_path) == hashes(small)


@pytest.mark.parametrize("name", ["landing", "truth"])
def test_files_of_somebody_else_are_not_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine.csv").write_text("a\n1\n")
    with pytest.raises(SampleError, match="name another folder"):
        make(tmp_path, SMALL, force=True)
    assert [path.name for path in (tmp_path / name).iterdir()] == ["mine.csv"]


def test_a_company_that_is_too_small_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--accounts", "3", "--folder", str(tmp_path / "landing")]) == 2
    assert "at least 20 accounts" in capsys.readouterr().err


# --- what config/pipeline.yml maps


def test_every_mapped_file_and_column_is_there(medium: Path) -> None:
    """A renamed column here or in the mapping would otherwise first show when somebody runs the whole pipeline."""
    config = yaml.safe_load((ROOT / "config" / "pipeline.yml").read_text())
    entities = config["sources"]["files"]["entities"]
    assert entities.keys() == ENTITIES.keys()
    con = duckdb.connect()
    for name, entity in entities.items():
        files = sorted((medium / "landing").glob(entity["files"]))
        assert files, name
        mapped = [one if isinstance(one, str) else one.get("column") for one in entity["columns"].values()]
        for file in files:
            found = {row[0] for row in con.execute(f"describe from '{file}'").fetchall()}
            assert set(filter(None, mapped)) <= found, (name, file.name)


def test_ids_are_consistent_except_the_planted(con: duckdb.DuckDBPyConnection) -> None:
    for table in ("users", "subscriptions", "surveys", "outcomes", "pulses", "overrides", "engagement"):
        assert value(con, f"select count(*) from {table} where account_id not in (select id from accounts)") == 0
    for table in ("tickets", "invoices"):
        strangers = con.execute(f"select account_id from {table} where account_id not in (select id from accounts)")
        assert strangers.fetchall() == [("A9999",)]
    strangers = con.execute("select user_id from events where user_id not in (select user_id from users)").fetchall()
    assert strangers == [("U99999",)] * 3
    assert value(con, "select count(*) from accounts where parent_id not in (select id from accounts)") == 0
    assert value(con, "select count(parent_id) from accounts") > 0
    respondents = "surveys s join users u on u.user_id = s.respondent and u.account_id = s.account_id"
    assert value(con, f"select count(*) from {respondents}") == value(con, "select count(*) from surveys")


def test_nothing_is_known_after_the_last_day(con: duckdb.DuckDBPyConnection) -> None:
    end = "timestamp '2026-01-01'"
    assert value(con, f"select count(*) from events where received_at >= {end} or received_at < happened_at") == 0
    times = ("opened_at", "first_reply_at", "solved_at", "reopened_at", "rated_at")
    for column in times:
        assert value(con, f"select count(*) from tickets where {column} >= {end}") == 0
    assert value(con, f"select count(*) from accounts where updated_at::timestamp >= {end}") == 0
    assert value(con, f"select count(*) from invoices where paid::date >= {end}") == 0


# --- the truth


def test_counts_of_dirt_are_those_in_the_files(con: duckdb.DuckDBPyConnection, dirt: dict) -> None:
    usage = dirt["usage_events"]
    files = "(select event_id, filename, count(*) as rows from usage_rows group by all)"
    assert usage["rows"] == value(con, "select count(*) from usage_rows")
    assert usage["duplicates_in_a_file"] == value(con, f"select sum(rows - 1) from {files}") > 0
    repeats = f"select sum(files - 1) from (select count(*) as files from {files} group by event_id)"
    assert usage["repeats_across_files"] == value(con, repeats) > 0
    late = "select count(*) from usage_rows where received_at - happened_at >= interval 1 hour"
    assert usage["late_rows"] == value(con, late) > 0
    assert value(con, "select max(received_at - happened_at) <= interval 5 days from usage_rows")
    assert value(con, "select count(distinct event_id) = count(*) from events"), "repeats are equal in every column"


def test_planted_rows_stand_where_the_truth_says(con: duckdb.DuckDBPyConnection, medium: Path, dirt: dict) -> None:
    counted = {
        "bad_date": "select (select count(*) from accounts where try_cast(customer_since as date) is null) + "
        "(select count(*) from surveys where try_strptime(answered, '%d/%m/%Y %H:%M') is null)",
        "missing_required_value": "select count(*) from surveys where answer is null",
        "negative_mrr": "select count(*) from subscriptions where mrr_usd::double < 0",
        "repeated_account_id": "select count(*) - count(distinct (id, updated_at)) from accounts",
        "unknown_account_id": "select count(*) from (select account_id from tickets union all "
        "select account_id from invoices) where account_id not in (select id from accounts)",
        "unknown_severity": "select count(*) from tickets where priority not in ('P1', 'P2', 'P3', 'P4')",
        "unknown_user_id": "select count(*) from usage_rows where user_id not in (select user_id from users)",
    }
    assert dirt["planted_by_kind"] == {kind: value(con, query) for kind, query in counted.items()}
    for plant in dirt["planted"]:
        file = medium / "landing" / plant["file"]
        reader = "read_json_auto" if ".jsonl" in plant["file"] else "read_csv"
        options = "" if ".jsonl" in plant["file"] else ", all_varchar = true"
        first = 1 if ".jsonl" in plant["file"] else 2
        rows = con.execute(f"select {plant['column']} from {reader}('{file}'{options})").fetchall()
        assert str(rows[plant["line"] - first][0] or "") == plant["value"], plant
        assert plant["entity_column"] in ENTITIES[plant["entity"]].columns


def test_left_on_is_what_the_sources_say(con: duckdb.DuckDBPyConnection) -> None:
    told = "select id as account_id, max(left_on)::date as left_on from accounts group by id"
    assert con.execute(f"{told} except select account_id, left_on from truth").fetchall() == []
    churns = "select account_id from outcomes where kind = 'churn'"
    assert value(con, f"select count(*) from ({churns})") > 5
    assert con.execute(f"({churns}) except select account_id from truth where left_on is not null").fetchall() == []
    early = "outcomes o join truth t using (account_id) where kind = 'churn' and o.decided::date >= t.left_on"
    assert value(con, f"select count(*) from {early}") == 0
    only_last = """
        select count(*) from (
            select left_on, row_number() over (partition by id order by updated_at desc) as age from accounts
        ) where left_on is not null and age > 1
    """
    assert value(con, only_last) == 0


def test_nobody_uses_the_product_outside_their_contract(con: duckdb.DuckDBPyConnection) -> None:
    since = "(select id, min(try_cast(customer_since as date)) as joined from accounts group by id)"
    outside = f"""
        select count(*) from events join users using (user_id) join truth using (account_id)
        join {since} on id = account_id
        where happened_at::date < joined or happened_at::date >= left_on
    """
    assert value(con, outside) == 0


def test_usage_before_leaving_is_below_the_accounts_baseline(con: duckdb.DuckDBPyConnection) -> None:
    """Per weekday, so that a public holiday's week or a weekend more in one span does not decide it."""
    query = """
        with leavers as (
            select account_id, decline_starts_on, left_on from truth
            where left_on is not null and archetype = 'leaving'
                and left_on < date '2026-02-01' and decline_starts_on >= date '2025-01-21'
        ),
        by_day as (
            select account_id, happened_at::date as day, count(*) as events
            from events join users using (user_id) group by all
        ),
        compared as (
            select
                account_id,
                coalesce(sum(events) filter (day between left_on - 60 and left_on - 1), 0) / 60 as before_leaving,
                coalesce(sum(events) filter (day < decline_starts_on), 0)
                    / least(decline_starts_on - date '2025-01-01', 400) as baseline
            from leavers left join by_day using (account_id) group by account_id, decline_starts_on, left_on
        )
        select account_id, baseline, before_leaving from compared
    """
    compared = con.execute(query).fetchall()
    assert len(compared) >= 4
    assert all(before_leaving < baseline for _, baseline, before_leaving in compared), compared


def test_hidden_health_falls_before_leaving(con: duckdb.DuckDBPyConnection) -> None:
    query = """
        select account_id, arg_min(health, month) as first, arg_max(health, month) as last
        from monthly join truth using (account_id)
        where archetype in ('leaving', 'silent') and decline_starts_on < date '2025-11-01' group by account_id
    """
    rows = con.execute(query).fetchall()
    assert len(rows) > 5 and all(last < first - 0.1 for _, first, last in rows), rows
    assert value(con, "select count(*) from monthly where health not between 0 and 1") == 0


def test_poor_health_shows_in_surveys_tickets_and_payments(con: duckdb.DuckDBPyConnection) -> None:
    """The best and the worst third of account months, compared in each domain that a score draws on."""
    months = "(select *, ntile(3) over (order by health, account_id, month) as third from monthly)"

    def compare(fact: str, table: str, moment: str) -> tuple[float, float]:
        query = f"""
            select avg({fact}) filter (third = 1), avg({fact}) filter (third = 3)
            from {table} f join {months} m on m.account_id = f.account_id and m.month = strftime({moment}, '%Y-%m')
        """
        worst, best = con.execute(query).fetchone()
        return float(worst), float(best)

    answered = "try_strptime(f.answered, '%d/%m/%Y %H:%M')"
    worst, best = compare("f.answer::double", "(from surveys where survey = 'nps')", answered)
    assert worst < best - 1.5
    worst, best = compare("(f.priority in ('P1', 'P2'))::int", "tickets", "f.opened_at")
    assert worst > best
    overdue = "greatest(0, coalesce(f.paid, '2026-01-01')::date - f.due::date)"
    worst, best = compare(overdue, "(from invoices where due < '2026-01-01')", "f.due::date")
    assert worst > best + 3


def test_silent_and_never_used_accounts(con: duckdb.DuckDBPyConnection) -> None:
    """Never used means no event ever; gone silent means events before, and none later than a month into the decline."""
    used = "select distinct account_id from events join users using (user_id)"
    never = "select account_id from truth where archetype = 'never_used'"
    assert value(con, f"select count(*) from ({never})") > 0
    assert con.execute(f"({never}) intersect ({used})").fetchall() == []
    silent = """
        select account_id, count(*) filter (happened_at >= decline_starts_on + 21),
            count(*) filter (happened_at < decline_starts_on)
        from truth join users using (account_id) join events using (user_id) where archetype = 'silent' group by 1
    """
    rows = con.execute(silent).fetchall()
    assert rows and all(after == 0 and before > 0 for _, after, before in rows), rows


# --- it looks like a company


def test_weekends_and_the_turn_of_the_year_are_quiet(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create temp table by_day as select happened_at::date as day, count(*) as n from events group by 1")
    weekend = value(con, "select avg(n) from by_day where isodow(day) > 5")
    weekday = value(con, "select avg(n) from by_day where isodow(day) <= 5")
    assert weekend < 0.25 * weekday
    holidays = value(con, "select avg(n) from by_day where day >= '2025-12-22' and isodow(day) <= 5")
    assert holidays < 0.6 * weekday
    summer = value(
        con, "select avg(n) from by_day where day between '2025-07-14' and '2025-08-22' and isodow(day) <= 5"
    )
    autumn = value(
        con, "select avg(n) from by_day where day between '2025-09-01' and '2025-10-10' and isodow(day) <= 5"
    )
    assert summer < 0.95 * autumn


def test_seats_revenue_and_subscriptions_agree(con: duckdb.DuckDBPyConnection) -> None:
    """On the last day the subscriptions of an account add up to its annual revenue."""
    query = """
        with last_account as (
            select id, arg_max(arr_usd::bigint, updated_at) as arr, max(left_on) as left_on
            from accounts where customer_since != '2025-02-30' group by id
        ),
        last_subscription as (
            select account_id, id, arg_max(mrr_usd::double, updated_at) as mrr
            from subscriptions where mrr_usd::double >= 0 group by all
        ),
        summed as (select account_id, sum(mrr) * 12 as arr from last_subscription group by all)
        select count(*) from last_account a join summed s on s.account_id = a.id where a.arr != s.arr
    """
    assert value(con, query) == 0
    assert value(con, "select count(distinct id) from subscriptions where id like '%-2'") > 0


def test_many_accounts_never_answer_a_survey(con: duckdb.DuckDBPyConnection) -> None:
    answering = value(con, "select count(distinct account_id) from surveys")
    assert 0.3 * MEDIUM.accounts < answering < 0.75 * MEDIUM.accounts


def test_churn_is_twelve_to_fifteen_percent_a_year(con: duckdb.DuckDBPyConnection) -> None:
    query = """
        with span as (
            select id, greatest(min(try_cast(customer_since as date)), date '2025-01-01') as starts,
                least(coalesce(max(left_on)::date, date '2026-01-01'), date '2026-01-01') as ends
            from accounts group by id
        )
        select (select count(*) from outcomes where kind = 'churn') / (sum(ends - starts) / 365) from span
    """
    assert 0.11 < value(con, query) < 0.16
    kinds = {row[0] for row in con.execute("select distinct kind from outcomes").fetchall()}
    assert kinds == {"churn", "downgrade", "expansion", "renewal"}
