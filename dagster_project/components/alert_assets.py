"""What people hear: breaches as an asset, and the messages about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime

import dagster as dg

from dagster_project.components import common
from dagster_project.components.results import MART
from dagster_project.config_file import ConfigError
from dagster_project.destinations.alert_book import Message, open_book
from dagster_project.destinations.alert_messages import newest_day, of_failed_run, of_late_scores
from dagster_project.destinations.delivery import Delivered, deliver, tell_owner
from dagster_project.report.reading import open_mart
from dagster_project.scorecards.alerts import load_alerts
from dagster_project.scorecards.delivery import Delivery
from dagster_project.settings import Settings

MESSAGES = dg.AssetKey(["alerts", "messages"])
BREACHES_SHOWN = 200
ALL_TAKEN = "channels_take_messages"


def breaches_asset(settings: Settings) -> dg.AssetsDefinition:
    """Asset `alerts/breaches`: what the rules of config/alerts.yml flag, for people to act on."""

    @dg.asset(
        key=["alerts", "breaches"],
        deps=[MART],
        group_name="activate",
        description="Breaches open on the newest day, by the rules of config/alerts.yml; new ones first.",
        owners=common.OWNERS,
        kinds={"duckdb"},
    )
    def breaches() -> dg.MaterializeResult[None]:
        with open_mart(settings.mart_folder / "mart.duckdb") as mart:
            open_now = mart.rows(
                """
                select
                    accounts.account_name as account,
                    breaches.title as rule,
                    breaches.severity,
                    breaches.opened_on as opened,
                    round(breaches.worst_value, 1) as "worst value",
                    accounts.owner
                from fct_breaches as breaches
                join dim_accounts as accounts using (account_id)
                where breaches.is_open
                order by breaches.opened_on desc, breaches.severity, accounts.account_name, breaches.breach_id
                """
            )
            newest = mart.row("select max(day) as day from fct_health_scores")["day"]
        return dg.MaterializeResult(
            metadata={
                "open_breaches": len(open_now),
                "opened_on_newest_day": sum(row["opened"] == newest for row in open_now),
                **common.table(
                    "breaches",
                    tuple(open_now[0]) if open_now else (),
                    (tuple(row.values()) for row in open_now[:BREACHES_SHOWN]),
                ),
            }
        )

    return breaches


def tell_of_failure(settings: Settings, run_id: str, steps: Sequence[str]) -> str:
    """Tell the data owner that a run failed; what became of it, in words."""
    return _tell_data_owner(settings, lambda delivery, day: of_failed_run(delivery, run_id, steps, day))


def _tell_data_owner(settings: Settings, messages: Callable[[Delivery, date], list[Message]]) -> str:
    """Tell the data owner of alerts.yml, if delivery is on; what became of it, in words."""
    try:
        delivery = load_alerts(settings.alerts).delivery
    except ConfigError:
        return "alerts.yml has a mistake, so nobody is told: health doctor says which"
    if not delivery.enabled:
        return "delivery.enabled in alerts.yml is false, so nobody is told"
    with open_book(settings.alert_book) as book:
        done = tell_owner(lambda day: messages(delivery, day), delivery, book, lambda: common.now(settings))
    return " ".join(done.troubles) or f"{delivery.data_owner} has been told"


def failure_sensor(settings: Settings) -> dg.SensorDefinition:
    """Tells the data owner of each run that failed, also of one that people started."""

    @dg.run_failure_sensor(
        name="run_failed",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells the data owner of alerts.yml that a run failed, if delivery is on there.",
    )
    def run_failed(context: dg.RunFailureSensorContext) -> dg.SkipReason:
        steps = [event.step_key for event in context.get_step_failure_events() if event.step_key]
        return dg.SkipReason(tell_of_failure(settings, context.dagster_run.run_id, steps))

    return run_failed


def lateness_sensor(settings: Settings) -> dg.SensorDefinition:
    """Tells the data owner, once, that nothing has been published for longer than the freshness policy allows."""

    @dg.sensor(
        name="scores_late",
        minimum_interval_seconds=600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Tells the data owner of alerts.yml when nothing was published for {common.STALE_HOURS} hours.",
    )
    def scores_late(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        if settings.days.last:
            return dg.SkipReason("days.last in pipeline.yml is fixed: no new scores are due")
        event = context.instance.get_latest_materialization_event(MART)
        if event is None:
            return dg.SkipReason("nothing has been published yet")
        published = datetime.fromtimestamp(event.timestamp, UTC)
        hours = (datetime.now(UTC) - published).total_seconds() / 3600
        if hours < common.STALE_HOURS:
            return dg.SkipReason(f"published {hours:.0f} hours ago")
        newest = newest_day(settings.mart_folder / "mart.duckdb")
        told = _tell_data_owner(settings, lambda delivery, day: of_late_scores(delivery, published, newest, day))
        return dg.SkipReason(f"published {hours:.0f} hours ago: {told}")

    return scores_late


def messages_asset(settings: Settings) -> dg.AssetsDefinition:
    """Asset `alerts/messages`: people are told, each thing once. A dead channel fails a check and stops nobody."""

    @dg.asset(
        key=MESSAGES,
        deps=[MART],
        group_name="activate",
        description="Messages about breaches that opened, escalated or closed, through the channels of "
        "config/alerts.yml. Nothing is sent unless `delivery.enabled` is true there.",
        owners=common.OWNERS,
        kinds={"sqlite"},
        check_specs=[
            dg.AssetCheckSpec(
                ALL_TAKEN,
                asset=MESSAGES,
                description="Every channel took what it was sent. If it fails, the run goes on and the next one tries "
                "again: mend the address that the result names.",
            )
        ],
    )
    def messages() -> Iterator[dg.MaterializeResult[None]]:
        try:
            delivery = load_alerts(settings.alerts).delivery
        except ConfigError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        done = Delivered()
        if delivery.enabled:
            with open_book(settings.alert_book) as book:
                done = deliver(settings.mart_folder / "mart.duckdb", delivery, book, lambda: common.now(settings))
        yield dg.MaterializeResult(
            metadata={
                "is_on": delivery.enabled,
                "queued": done.queued,
                "sent": sum(done.sent.values()),
                "stuck": len(done.stuck),
                "waiting": done.waiting,
                **common.table("channels", ("channel", "messages sent"), sorted(done.sent.items())),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name=ALL_TAKEN,
                    passed=not done.stuck,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=" ".join(done.troubles) or "Every channel took what it was sent.",
                )
            ],
        )

    return messages
