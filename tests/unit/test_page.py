"""The page, the summary and its text: right figures, every name harmless, nothing taken from the network."""

import base64
import hashlib
import json
import math
import re
import stat
import unicodedata
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest

from dagster_project.destinations.mart import publish_mart
from dagster_project.report import page
from dagster_project.report.page import write_page
from dagster_project.report.reading import ReportError
from dagster_project.report.summary import percent, points, portfolio_summary, signed
from dagster_project.report.terminal import WIDTH, render_text
from tests.marts_fixture import LAST_DAY, NASTY_NAMES, SCRIPT, build_warehouse
from tests.patching import patch_within

ACCOUNTS = 40


@pytest.fixture(scope="module")
def mart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mart")
    warehouse = build_warehouse(folder / "warehouse.duckdb", accounts=ACCOUNTS, days=60)
    with duckdb.connect(str(warehouse)) as con:
        # A candidate version is scored beside the active one; nothing of it may show.
        con.execute(
            "insert into marts.dim_scorecards values "
            "('999988887777', 'default', '2.0', 'Tried out', 'overall', 'candidate', false, true, 0.7, 'mean', null)"
        )
        con.execute(
            "insert into marts.fct_health_scores by name select * replace ('2.0' as scorecard_version, "
            "'999988887777' as scorecard_hash, 1.5 as score) from marts.fct_health_scores"
        )
    return publish_mart(warehouse, folder / "published").path


@pytest.fixture(scope="module")
def empty_mart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty")
    warehouse = build_warehouse(folder / "warehouse.duckdb", accounts=3, days=1)
    with duckdb.connect(str(warehouse)) as con:
        for (table,) in con.execute("select table_name from duckdb_tables() where schema_name = 'marts'").fetchall():
            con.execute(f"truncate marts.{table}")
    return publish_mart(warehouse, folder / "published").path


@pytest.fixture(scope="module")
def html(mart: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("page") / "health.html"
    written = write_page(mart, file)
    assert (written.path, written.accounts, written.bytes) == (file, ACCOUNTS + 1, file.stat().st_size)
    return file.read_text(encoding="utf-8")


class Parsed(HTMLParser):
    """The page as a browser's parser splits it: tags with attributes, text, and the contents of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.raw: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += " " if tag in ("td", "th", "tr") else ""
        if tag not in ("meta", "link", "input", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            self.raw.append((self.open[-1], self.tags[-1][1], data))
        else:
            self.text += data


def embedded(html: str) -> dict:
    (text,) = [text for tag, attributes, text in Parsed(html).raw if attributes.get("id") == "data"]
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


# ---- the page ---------------------------------------------------------------------------------------------------


def test_no_name_becomes_markup(html: str) -> None:
    parsed = Parsed(html)
    assert parsed.open == []
    # Of scripts there are two, ours: the data, and what draws it.
    assert [attributes.get("type") for tag, attributes in parsed.tags if tag == "script"] == ["application/json", None]
    assert html.lower().count("</script>") == 2
    assert not {"b", "i", "img", "iframe", "object"} & {tag for tag, _ in parsed.tags}
    assert not [name for _, attributes in parsed.tags for name in attributes if name.startswith("on")]
    assert SCRIPT in parsed.text  # the example of an input issue, as text
    assert {account["name"] for account in embedded(html)["accounts"]} >= set(NASTY_NAMES)


def test_the_page_takes_nothing_from_the_network_and_runs_only_its_own_script(html: str) -> None:
    parsed = Parsed(html)
    for tag, attributes in parsed.tags:
        assert "src" not in attributes
        assert attributes.get("href") in (None, "data:,", "#accounts"), tag
    (policy,) = [
        a["content"] for t, a in parsed.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag, attributes, text in parsed.raw:
        assert "@import" not in text
        assert "url(" not in text
        if attributes.get("type") != "application/json":
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not [attributes for _, attributes in parsed.tags if "style" in attributes]  # the policy would drop them


def test_the_script_never_writes_markup() -> None:
    script = (Path(page.__file__).parent / "templates" / "page.js").read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script)


def test_every_id_the_script_asks_for_is_there_once(html: str) -> None:
    script = (Path(page.__file__).parent / "templates" / "page.js").read_text()
    ids = [attributes["id"] for _, attributes in Parsed(html).tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    asked = set(re.findall(r'(?:byId|getElementById|fillChoices)\("(\w+)"', script))
    assert asked
    assert asked <= set(ids)


def test_the_data_of_an_account_is_that_of_the_mart(html: str, mart: Path) -> None:
    accounts = embedded(html)["accounts"]
    by_id = {account["id"]: account for account in accounts}
    with duckdb.connect(str(mart), read_only=True) as con:
        cursor = con.execute("select * from marts.current_health")
        names = [column[0] for column in cursor.description]
        for values in cursor.fetchall():
            row, shown = dict(zip(names, values, strict=True)), by_id[values[0]]
            assert shown["name"] == row["account_name"]
            assert shown["band"] == row["band"]
            assert shown["score"] == pytest.approx(row["score"], abs=1e-4)
            assert (shown["low"], shown["high"]) == pytest.approx((row["score_low"], row["score_high"]), abs=1e-4)
            assert shown["arr"] == pytest.approx(float(row["arr"]) if row["arr"] is not None else None)
            assert shown["renewal"] == (row["renewal_on"].isoformat() if row["renewal_on"] else None)
            assert "; ".join(shown["down"]) == (row["drivers_down"] or "")
            assert "; ".join(shown["up"]) == (row["drivers_up"] or "")
            assert shown["adjustment"] == row["adjustment"]
            assert len(shown["openBreaches"]) == row["open_breaches"] == shown["breaches"]
    scores = [account["score"] for account in accounts]
    known = [score for score in scores if score is not None]
    assert scores == sorted(known) + [None] * (len(scores) - len(known))


def test_history_is_the_active_scorecards_last_90_days(html: str, mart: Path) -> None:
    data = embedded(html)
    assert (data["firstDay"], data["lastDay"]) == ("2026-04-02", LAST_DAY)
    account = next(account for account in data["accounts"] if account["id"] == "A0001")
    with duckdb.connect(str(mart), read_only=True) as con:
        expected = con.execute(
            "select score from marts.fct_health_scores "
            "where account_id = 'A0001' and scorecard_version = '1.0' order by day"
        ).fetchall()
    assert account["history"][:30] == [None] * 30
    assert account["history"][30:] == pytest.approx([score for (score,) in expected], abs=0.05)
    assert next(account for account in data["accounts"] if account["id"] == "A0004")["history"] == []


def test_the_portfolio_and_the_quality_of_the_data_are_told_in_text(html: str, mart: Path) -> None:
    text = " ".join(Parsed(html).text.split())
    summary = portfolio_summary(mart)
    for total in summary.bands:
        assert f"{total.accounts:,} {total.arr:,.0f}" in text
    assert "tickets without a CSAT rating 825 files: tickets" in text
    assert summary.coverage_note in text
    assert "Customer health · version 1.0 · active aaaabbbbcccc" in text
    assert "Satisfaction · version 1.0" in text
    bars = [attributes for tag, attributes in Parsed(html).tags if tag == "svg"]
    assert len(bars) == 8
    assert all(bar["role"] == "img" and "%" in (bar["aria-label"] or "") for bar in bars)


def test_the_same_mart_gives_the_same_page_replaced_whole(mart: Path, tmp_path: Path, html: str) -> None:
    file = tmp_path / "new folder" / "health.html"
    write_page(mart, file)
    assert file.read_text(encoding="utf-8") == html
    (file.parent / ".health.html.killed.part").write_text("half")
    before = file.stat().st_ino
    write_page(mart, file)
    assert file.stat().st_ino != before
    assert [path.name for path in file.parent.iterdir()] == ["health.html"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_page_that_fails_leaves_the_old_one(mart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "health.html"
    file.write_text("old")

    def fail(descriptor: int) -> None:
        raise OSError("No space left on device")

    patch_within(monkeypatch, page, "os", fsync=fail)
    with pytest.raises(OSError, match="No space left"):
        write_page(mart, file)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("health.html", "old")]


def test_more_accounts_than_fit_are_counted_and_the_worst_are_kept(
    mart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, html: str
) -> None:
    monkeypatch.setattr(page, "MAX_ACCOUNTS", 10)
    write_page(mart, tmp_path / "health.html")
    short = (tmp_path / "health.html").read_text(encoding="utf-8")
    assert embedded(short)["accounts"] == embedded(html)["accounts"][:10]
    assert "The table holds the 10 accounts with the lowest scores; 31 accounts are left out" in short


def test_an_empty_mart_gives_a_page_that_says_so(empty_mart: Path, tmp_path: Path) -> None:
    assert write_page(empty_mart, tmp_path / "health.html").accounts == 0
    html = (tmp_path / "health.html").read_text(encoding="utf-8")
    assert "No account was scored yet" in html
    assert "Nothing wrong was found in the input." in html
    assert embedded(html) == {**embedded(html), "accounts": [], "lastDay": None}


def test_a_number_that_is_none_never_reaches_the_page(mart: Path) -> None:
    assert [page._json_value(value) for value in (math.nan, math.inf, -math.inf, 0.5)] == [None, None, None, 0.5]
    assert page._json_value(date(2026, 6, 30)) == "2026-06-30"
    assert page._json_value(Decimal("1.25")) == 1.25


# ---- the summary ------------------------------------------------------------------------------------------------


def test_bands_add_up_to_every_account_and_all_arr(mart: Path) -> None:
    summary = portfolio_summary(mart)
    assert summary.day == date.fromisoformat(LAST_DAY)
    assert [total.band for total in summary.bands] == ["red", "yellow", "green", "insufficient_data"]
    assert sum(total.accounts for total in summary.bands) == summary.accounts == ACCOUNTS + 1
    assert sum(total.arr for total in summary.bands) == summary.arr
    assert sum(total.arr_share or 0 for total in summary.bands) == pytest.approx(1)
    assert summary.accounts_without_arr == 1
    assert next(t.accounts for t in summary.bands if t.band == "insufficient_data") == ACCOUNTS // 5 + 1


def test_most_at_risk_are_the_lowest_scores_of_red_and_yellow(mart: Path) -> None:
    at_risk = portfolio_summary(mart).at_risk
    with duckdb.connect(str(mart), read_only=True) as con:
        expected = con.execute(
            "select account_id from marts.current_health where score < 75 order by score, arr desc limit 10"
        ).fetchall()
    assert [(each.account_id,) for each in at_risk] == expected
    assert all(each.drivers_down for each in at_risk)


def test_among_equal_scores_the_larger_customer_comes_first(tmp_path: Path) -> None:
    warehouse = build_warehouse(tmp_path / "warehouse.duckdb", accounts=10, days=1)
    with duckdb.connect(str(warehouse)) as con:
        con.execute("update marts.current_health set score = 40, band = 'red' where score is not null")
    arr = [each.arr for each in portfolio_summary(publish_mart(warehouse, tmp_path / "published").path).at_risk]
    assert len(arr) == 8
    assert arr == sorted(arr, reverse=True)


def test_breaches_are_counted_by_their_day(mart: Path) -> None:
    summary = portfolio_summary(mart)
    red = next(total.accounts for total in summary.bands if total.band == "red")
    # Each red account opened one on the last day, and has one that closed before.
    assert summary.breaches_opened == summary.breaches_open == red > 0


def test_input_issues_and_missing_measures_are_told(mart: Path) -> None:
    summary = portfolio_summary(mart)
    assert {(issue.issue, issue.rows) for issue in summary.input_issues} == {
        ("no_rating", 825), ("duplicate_key", 21), ("unknown_account", 2),
    }  # fmt: skip
    assert "9 accounts have too little to be judged" in summary.coverage_note
    assert "Known for no account: Net promoter score." in summary.coverage_note


def test_an_outage_is_told_before_anything_else(tmp_path: Path) -> None:
    """And rows set aside before what is only counted, however often."""
    warehouse = build_warehouse(tmp_path / "warehouse.duckdb")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(
            "insert into marts.fct_input_issues values ('files', 'usage_events', 'feed_outage', 'silent', 1, null), "
            "('files', 'tickets', 'rejected', 'row set aside', 1, null), "
            "('files', 'accounts', 'hierarchy_cycle', 'in a circle', 1, null)"
        )
    issues = portfolio_summary(warehouse).input_issues
    assert [issue.issue for issue in issues][:4] == ["feed_outage", "rejected", "hierarchy_cycle", "no_rating"]


def test_an_empty_mart_has_an_empty_summary(empty_mart: Path) -> None:
    summary = portfolio_summary(empty_mart)
    assert (summary.day, summary.accounts, summary.at_risk, summary.input_issues) == (None, 0, (), ())
    assert {total.arr_share for total in summary.bands} == {None}
    assert "No account was scored" in render_text(summary, {})


def test_a_mart_that_is_missing_damaged_or_not_ours_is_a_plain_error(tmp_path: Path) -> None:
    file = tmp_path / "mart.duckdb"
    with pytest.raises(ReportError, match="there is no published mart to report on; run the pipeline first"):
        portfolio_summary(file)
    file.write_bytes(b"something else entirely" * 500)
    with pytest.raises(ReportError, match=r"mart.duckdb: the published mart cannot be read"):
        write_page(file, tmp_path / "health.html")
    file.unlink()
    duckdb.connect(str(file)).close()
    with pytest.raises(ReportError, match=r"mart.duckdb: the published mart cannot be read"):
        portfolio_summary(file)


@pytest.mark.parametrize(
    ("score", "text"),
    [(49.97, "49.9"), (50.0, "50.0"), (67.1, "67.1"), (74.999, "74.9"), (100.0, "100.0"), (0.0, "0.0"), (None, "–")],
)
def test_a_score_is_cut_so_that_it_never_reads_like_the_next_band(score: float | None, text: str) -> None:
    assert points(score) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0 %"), (0.001, "< 1 %"), (0.345, "34 %"), (0.999, "> 99 %"), (1.0, "100 %"), (None, "–")]
)
def test_only_none_and_all_read_0_and_100_percent(share: float | None, text: str) -> None:
    assert percent(share) == text


# ---- the summary as text ----------------------------------------------------------------------------------------


def test_text_fits_100_columns_and_cannot_drive_the_terminal(tmp_path: Path) -> None:
    warehouse = build_warehouse(tmp_path / "warehouse.duckdb", accounts=len(NASTY_NAMES), days=1)
    with duckdb.connect(str(warehouse)) as con:
        # The ten nastiest names are the ten most at risk, and say so in every text.
        con.execute("update marts.current_health set score = 10, band = 'red', drivers_down = account_name")
        con.execute(
            "update marts.fct_input_issues set title = title || chr(27) || '[2J', example = chr(7) || chr(8238)"
        )
        con.execute("delete from marts.current_health where account_id = 'ALL-NULL'")
    path = "/a/long/path/" + "x" * 120 + "/mart.duckdb"
    summary = portfolio_summary(publish_mart(warehouse, tmp_path / "published").path)
    text = render_text(summary, {"Published mart": path, "Page": "health.html"})
    assert {each.account_name for each in summary.at_risk} == set(NASTY_NAMES)
    assert f"Published mart  {path}\n" in text
    widths = [
        sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)
        for line in text.splitlines()
        if path not in line
    ]
    assert max(widths) <= WIDTH
    # Only the joiners inside emoji and words are left of what cannot be seen.
    assert {char for char in text if not char.isprintable()} <= {"\n", "\u200d", "\u200c"}


def test_text_has_the_figures_and_names_as_they_are(mart: Path) -> None:
    summary = portfolio_summary(mart)
    text = render_text(summary, {})
    for total in summary.bands:
        assert re.search(rf"\b{total.accounts} +{total.arr:,.0f} +{percent(total.arr_share)}", text)
    assert f"{summary.breaches_open} open now" in text
    assert "=cmd|' /C calc'!A0" in text
    assert summary.at_risk[0].account_name is not None
    assert re.search(rf"{re.escape(summary.at_risk[0].account_name)} +{points(summary.at_risk[0].score)} +red", text)


def test_a_name_in_rich_markup_is_printed_as_it_is(tmp_path: Path) -> None:
    warehouse = build_warehouse(tmp_path / "warehouse.duckdb", accounts=3, days=1)
    with duckdb.connect(str(warehouse)) as con:
        con.execute("update marts.current_health set score = 10, band = 'red', account_name = '[bold]A[/] :smile:'")
    text = render_text(portfolio_summary(publish_mart(warehouse, tmp_path / "published").path), {})
    assert "[bold]A[/] :smile:" in text


@pytest.mark.parametrize(
    ("change", "digits", "shown"),
    [(-0.4, 0, "+0"), (-0.6, 0, "-1"), (17, 0, "+17"), (-0.04, 1, "+0.0"), (3.25, 2, "+3.25")],
)
def test_a_change_that_rounds_to_nothing_is_no_loss(change: float, digits: int, shown: str) -> None:
    assert signed(change, digits) == shown
