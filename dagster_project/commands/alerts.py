"""`health alerts`: which breaches are open, what people do about them, and what is sent."""

from __future__ import annotations

import getpass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from dagster_project.commands.opening import settings_or_exit

if TYPE_CHECKING:
    from datetime import date

    from dagster_project.destinations.alert_book import Act, Action
    from dagster_project.scorecards.delivery import Delivery
    from dagster_project.settings import Settings

alerts = typer.Typer(
    name="alerts",
    help="Breaches that are open, and what is done about them. Each is noted with who and when, and nothing is erased.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Breach = Annotated[str, typer.Argument(metavar="BREACH", help="The breach, as `health alerts list` names it.")]
By = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who does it; the user of the system if left out.")
]
SHORT = 8  # characters of a breach's id that are shown; so many tell thousands apart


@alerts.command("list")
def list_() -> None:
    """Show the open breaches, newest first, and where each stands."""
    from dagster_project.destinations.alert_messages import Standing, standings

    settings = settings_or_exit()
    stands = standings(_actions(settings))
    rows = _open_breaches(settings)
    for row in reversed(rows):
        standing = _said(stands.get(row["breach_id"], Standing()), row["mass_move_on"])
        told = (row["breach_id"][:SHORT], row["severity"], row["opened_on"], _shown(row["account_name"]), row["title"])
        typer.echo("  ".join(filter(None, (*map(str, told), row["owner"] and f"({_shown(row['owner'])})", standing))))
    typer.echo(f"{len(rows)} open" if rows else "No breach is open.")


@alerts.command()
def history() -> None:
    """Show how many breaches opened each month, and for how many accounts: are these rules too loud?"""
    from dagster_project.destinations.alert_messages import read_months

    months = read_months(_mart(settings_or_exit()))
    typer.echo("month     opened  of accounts  per account")
    for month, opened, accounts in months:
        typer.echo(f"{month:%Y-%m}  {opened:8,}  {accounts:11,}  {opened / accounts:11.2f}")
    total, most = sum(opened for _, opened, _ in months), sum(accounts for _, _, accounts in months)
    if most:
        typer.echo(f"{total:,} in {len(months)} months, {total / most:.2f} for an account and month")


@alerts.command()
def acknowledge(breach: Breach, by: By = None) -> None:
    """Say that somebody has taken it up: it does not escalate any more."""
    _act(breach, "acknowledge", by)


@alerts.command()
def snooze(
    breach: Breach,
    until: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="The day on which it is told again.")
    ],
    by: By = None,
) -> None:
    """Hear nothing of it until a day; if it is still open then, it is told again."""
    _act(breach, "snooze", by, until=until.date())


@alerts.command()
def close(
    breach: Breach, reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it is done.")], by: By = None
) -> None:
    """Hear no more of it, with a reason. In the mart it stays open as long as its rule holds."""
    _act(breach, "close", by, reason=reason)


@alerts.command()
def assign(
    breach: Breach, to: Annotated[str, typer.Option(metavar="OWNER", help="Who takes it over.")], by: By = None
) -> None:
    """Give it to somebody else: later messages take the route of that owner."""
    _act(breach, "assign", by, assignee=to)


@alerts.command()
def release(
    day: Annotated[
        datetime, typer.Argument(formats=["%Y-%m-%d"], metavar="DAY", help="A day on which many accounts fell at once.")
    ],
    by: By = None,
) -> None:
    """Let the breaches of a mass move go: somebody has looked, and they are real."""
    settings = settings_or_exit()
    named = day.date()
    if not any(row["mass_move_on"] == named for row in _open_breaches(settings)):
        _refuse(f"No open breach waits for {named}. Those that wait are marked in `health alerts list`.")
    _note(settings, named.isoformat(), "release", by)
    typer.echo(f"The breaches of {named} are told with the next run, or now: health alerts send")


@alerts.command()
def send(
    *, dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be sent, and to whom.")] = False
) -> None:
    """Send what is due now, and what could not be sent before. Exit code 4: a channel did not take it."""
    from dagster_project.destinations.alert_book import open_book
    from dagster_project.destinations.alert_words import words_of
    from dagster_project.destinations.delivery import deliver, would_send

    settings = settings_or_exit()
    delivery, mart = _delivery(settings), _mart(settings)
    with open_book(settings.alert_book) as book:
        if dry_run:
            bundles = would_send(mart, delivery, book)
            for messages in bundles:
                title, text = words_of(messages)
                typer.echo(f"to {messages[0].channel}: {title}\n{text}\n")
            off = "" if delivery.enabled else "; but delivery.enabled in alerts.yml is false, so nothing is"
            typer.echo(f"{len(bundles)} would be sent{off}")
            return
        if not delivery.enabled:
            _refuse("delivery.enabled in alerts.yml is false, so nothing is sent. What would be: --dry-run")
        done = deliver(mart, delivery, book, lambda: _now(settings))
    for name, count in sorted(done.sent.items()):
        typer.echo(f"{name}: {count} sent")
    typer.echo("" if done.sent else "Nothing was to be sent." if not done.stuck else "Nothing was sent.")
    for trouble in done.troubles:
        typer.echo(trouble, err=True)
    raise typer.Exit(4 if done.stuck else 0)


@alerts.command()
def log() -> None:
    """Show everything that people did, oldest first."""
    for one in _actions(settings_or_exit()):
        rest = [
            f"until {one.until}" if one.until else "",
            one.reason or "",
            f"to {one.assignee}" if one.assignee else "",
        ]
        typer.echo("  ".join(filter(None, (f"{one.at}", one.who, one.act, one.breach_id[:10], *rest))))


def _act(
    breach: str,
    act: Act,
    by: str | None,
    until: date | None = None,
    reason: str | None = None,
    assignee: str | None = None,
) -> None:
    settings = settings_or_exit()
    row = _the_breach(settings, breach)
    newest = row["newest"]
    if until is not None and until <= newest:
        _refuse(f"{until} is over: the newest day scored is {newest}. Name a later one.")
    _note(settings, row["breach_id"], act, by, until, reason, assignee)
    typer.echo(f"{row['breach_id'][:SHORT]} {_shown(row['account_name'])}, {row['title']}: {act} noted")


def _note(
    settings: Settings,
    breach_id: str,
    act: Act,
    by: str | None,
    until: date | None = None,
    reason: str | None = None,
    assignee: str | None = None,
) -> None:
    from dagster_project.destinations.alert_book import Action, open_book

    who = (by or getpass.getuser()).strip()
    for name, text in (("--by", who), ("--reason", reason), ("--to", assignee)):
        if text is not None and not text.strip():
            _refuse(f"{name} is empty.")
    with open_book(settings.alert_book) as book:
        book.act(Action(breach_id, act, who, _now(settings), until, reason, assignee))


def _the_breach(settings: Settings, named: str) -> dict[str, Any]:
    """The open breach whose id begins so."""
    from dagster_project.destinations.alert_messages import newest_day, read_breaches

    newest = newest_day(_mart(settings))
    every = read_breaches(_mart(settings), settings.days.first)
    found = [row for row in every if row["breach_id"].startswith(named)] if named else []
    if not found:
        _refuse(f"There is no breach '{named}'. Those that are open: health alerts list")
    if len(found) > 1:
        _refuse(f"'{named}' begins the names of {len(found)} breaches; write more of it.")
    if not found[0]["is_open"]:
        _refuse(f"Breach {named} closed on {found[0]['closed_on']}; nothing is to be done about it any more.")
    return {**found[0], "newest": newest}


def _open_breaches(settings: Settings) -> list[dict[str, Any]]:
    from dagster_project.destinations.alert_messages import newest_day, read_breaches

    newest = newest_day(_mart(settings))
    return [row for row in read_breaches(_mart(settings), newest) if row["is_open"]] if newest else []


def _actions(settings: Settings) -> list[Action]:
    from dagster_project.destinations.alert_book import open_book

    if not settings.alert_book.exists():
        return []
    with open_book(settings.alert_book) as book:
        return book.actions()


def _said(standing: Any, mass_move_on: date | None) -> str:
    words = [
        "waits: many fell at once" if mass_move_on else "",
        "closed by hand" if standing.closed else "",
        f"snoozed until {standing.snoozed_until}" if standing.snoozed_until else "",
        "acknowledged" if standing.acknowledged else "",
        f"with {standing.assignee}" if standing.assignee else "",
    ]
    return ", ".join(filter(None, words))


def _delivery(settings: Settings) -> Delivery:
    from dagster_project.config_file import ConfigError
    from dagster_project.scorecards.alerts import load_alerts

    try:
        return load_alerts(settings.alerts).delivery
    except ConfigError as error:
        _refuse(f"The configuration has a mistake:\n{error}")


def _mart(settings: Settings) -> Any:
    mart = settings.mart_folder / "mart.duckdb"
    if not mart.is_file():
        _refuse(f"{mart}: there is no published mart yet; run the pipeline first (make run)")
    return mart


def _now(settings: Settings) -> datetime:
    from zoneinfo import ZoneInfo

    return datetime.now(ZoneInfo(settings.timezone)).replace(tzinfo=None, microsecond=0)


def _shown(name: str) -> str:
    """A name that sources gave: on one line, and nothing that a terminal would obey."""
    from dagster_project.report.terminal import clean

    return clean(" ".join(name.split()))


def _refuse(text: str) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(2)
