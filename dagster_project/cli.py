"""`health`: the command line."""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from dagster_project.commands.alerts import alerts
from dagster_project.commands.opening import settings_or_exit

app = typer.Typer(
    name="health",
    help=(
        "Customer health, as a pipeline.\n\n"
        "Start with `health doctor`, which says what is missing; then `health run`, which loads what is new, scores "
        "the days that are due, publishes and exports; then `health explain ACCOUNT`, which shows a score's "
        "arithmetic.\n\n"
        "Everything is configured in config/pipeline.yml (another file: HEALTH_CONFIG)."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(alerts)


@app.command()
def run(
    from_: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], metavar="DAY", help="First day to score again, for a backfill."),
    ] = None,
    to: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], metavar="DAY", help="Last day to score; the newest if left out."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the result only, no progress.")] = False,
) -> None:
    """Load what is new, score the days that are due, publish, export, flag breaches; then print where things stand.

    Without options the days are those not scored yet, those that late facts re-opened within the look-back, and the
    newest day if config or models changed. With nothing due, nothing is written.
    """
    from dagster_project.commands.run import run_pipeline

    settings = settings_or_exit()
    sys.exit(run_pipeline(settings, _day(from_), _day(to), quiet=quiet))


@app.command()
def init(
    to: Annotated[Path, typer.Argument(metavar="FILE", help="The config to write.")] = Path("my/pipeline.yml"),
    company: Annotated[str | None, typer.Option(help="What the company is called.")] = None,
    timezone: Annotated[str, typer.Option(help="Where a day begins and ends, such as Europe/Berlin.")] = "UTC",
    first: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="First day that gets a score.")
    ] = None,
    accounts: Annotated[Path | None, typer.Option(metavar="FILE", help="A CSV file of accounts.")] = None,
    provider: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A provider to read; may be repeated.")
    ] = None,
    answer: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PROVIDER.KEY=VALUE", help="What a provider needs; may be repeated."),
    ] = None,
) -> None:
    """Write a first pipeline.yml for your own data; what the options leave out is asked.

    Columns of the file are guessed by their names. Keys of providers become names of environment variables.
    """
    from dagster_project.commands.init import InitError, asked_of, write_config

    ask = asked_of(sys.stdin.isatty())
    try:
        named = company or ask("What is the company called?")
        begins = first.date().isoformat() if first else ask("First day that gets a score (YYYY-MM-DD)?")
        answers = dict(one.partition("=")[::2] for one in answer or ())
        variables = write_config(to, named, timezone, begins, accounts, provider or [], answers, ask)
    except InitError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    typer.echo(f"Wrote {to}.")
    for name in variables:
        typer.echo(f"  set {name}")
    typer.echo(f"Next: HEALTH_CONFIG={to} health doctor")


@app.command()
def doctor() -> None:
    """Check config, files, mapping, credentials and the installation; say what to fix. Writes nothing."""
    from dagster_project.commands.doctor import examine

    sys.exit(examine())


@app.command()
def explain(
    account: Annotated[str, typer.Argument(help="Account id, or its exact name.")],
    on: Annotated[
        datetime | None,
        typer.Option("--on", formats=["%Y-%m-%d"], metavar="DAY", help="The day; the newest if left out."),
    ] = None,
    lens: Annotated[str, typer.Option(help="Which lens: the scorecards that stand beside each other.")] = "overall",
    change: Annotated[int, typer.Option(metavar="DAYS", help="Split the change over so many days: 1, 7 or 30.")] = 30,
) -> None:
    """Show how an account's score came about: every measure, its value, score, weight and points; and why it moved."""
    from dagster_project.commands.explain import SPANS, explain_account

    if change not in SPANS:
        raise typer.BadParameter(f"{change} is not legal; legal: {', '.join(map(str, SPANS))}", param_hint="--change")
    sys.exit(explain_account(settings_or_exit(), account, _day(on), lens, change))


@app.command()
def whatif(
    weights: Annotated[
        str | None,
        typer.Option(metavar="GROUP=WEIGHT,...", help="Other weights of groups, such as usage=60,support=20."),
    ] = None,
    scorecard: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A scorecard that does not stand in config.")
    ] = None,
    lens: Annotated[
        str | None, typer.Option(help="The lens whose weights change; overall, or the one that FILE names.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the result only, no progress.")] = False,
) -> None:
    """Show what other weights, or another scorecard, would make of every day scored so far. Writes nothing.

    All kept measures are scored again by the proposal, with the SQL of a run but in a scratch file, and compared with
    the scores in force: who would change band on the newest day, with how much ARR; what each month would have been.

    Groups that --weights leaves out keep their weight: what counts is the share of all, so usage=60 beside 20, 15 and
    25 is half. FILE takes the place of the scorecard of its name; if none has it and it says `applies_to: default`,
    the place of its lens' default.
    """
    from dagster_project.commands.whatif import imagine

    sys.exit(imagine(settings_or_exit(), weights, scorecard, lens, quiet=quiet))


@app.command()
def backtest(
    days_before: Annotated[
        Literal[30, 60, 90, 120, 180], typer.Option("--days-before", help="The horizon that is told in full.")
    ] = 60,
) -> None:
    """Show whether the scores told the truth: those of 30 to 180 days before customers left, renewed, grew or shrank.

    Reads the published mart fct_outcome_scores. Downgrades are losses, too. Writes nothing.
    """
    from dagster_project.commands.backtest import show

    sys.exit(show(settings_or_exit(), days_before))


@app.command("write-back")
def write_back(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be sent, and to which CRM.")] = False,
    target: Annotated[
        str | None, typer.Option(metavar="NAME", help="One target of write_back in pipeline.yml; all if left out.")
    ] = None,
) -> None:
    """Send the health of accounts to the CRMs of config: what changed, and what they did not take before.

    Each run does so by itself where write_back.enabled is true. Exit code 4: a CRM did not take everything.
    """
    from dagster_project.commands.write_back import write

    sys.exit(write(settings_or_exit(), target, dry_run=dry_run))


@app.command()
def ui(port: Annotated[int, typer.Option(envvar="PORT", min=1, max=65535, help="Port on 127.0.0.1.")] = 3000) -> None:
    """Start the Dagster UI, with the schedule's daemon, on 127.0.0.1."""
    from dagster_project.commands.ui import serve

    serve(settings_or_exit(), port)


def _day(given: datetime | None) -> date | None:
    return given.date() if given else None


def main() -> None:
    """Entry point of the `health` command."""
    app(prog_name=Path(sys.argv[0]).name)


if __name__ == "__main__":
    main()
