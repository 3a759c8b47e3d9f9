"""What CRMs hear: the health of the accounts that they know, an asset for each that config turns on."""

from collections.abc import Iterator

import dagster as dg

from dagster_project.components import common
from dagster_project.components.results import MART
from dagster_project.destinations.write_back import WriteBackError, Written, due_of, write_back
from dagster_project.destinations.write_back_book import open_book
from dagster_project.settings import Settings

LINES_LOGGED = 100  # of the rows that a CRM refused


def targets_of(settings: Settings) -> list[str]:
    """The targets that config turns on."""
    return list(settings.write_back.targets) if settings.write_back.enabled else []


def crm_key(target: str) -> dg.AssetKey:
    """The asset of a target."""
    return dg.AssetKey([common.CRM, target])


def crm_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """Assets `crm/<target>`. A CRM that takes nothing fails a check and stops nobody."""
    return [_crm_asset(settings, target) for target in targets_of(settings)]


def not_taken(settings: Settings) -> list[dg.AssetKey]:
    """The assets of the targets that have yet to take something. Raises WriteBackError."""
    with open_book(settings.write_back_book) as book:
        return [crm_key(target) for target in targets_of(settings) if any(True for _ in due_of(settings, target, book))]


def _crm_asset(settings: Settings, target: str) -> dg.AssetsDefinition:
    key, check = crm_key(target), f"{target}_took_all"

    @dg.asset(
        key=key,
        deps=[MART],
        group_name="activate",
        description=f"Health of accounts, sent to {target} into the fields of `write_back.{target}`: what has changed "
        "since it last took something.",
        owners=common.OWNERS,
        kinds={"sqlite"},
        check_specs=[
            dg.AssetCheckSpec(
                check,
                asset=key,
                description=f"{target} took every record that it was sent. If it fails, the run goes on and the "
                "next one tries again: mend what the result names.",
            )
        ],
    )
    def written(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        try:
            with open_book(settings.write_back_book) as book:
                done = write_back(settings, target, book, lambda: common.now(settings))
        except WriteBackError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        context.log.info(common.PROGRESS + done.told)
        for one in done.refused[:LINES_LOGGED]:
            context.log.warning(f"{target} refused account {one.account_id} ({one.customer_id}): {one.reason}")
        yield dg.MaterializeResult(metadata=_metadata(done), check_results=[_check(check, done)])

    return written


def _metadata(done: Written) -> dict[str, dg.MetadataValue | int]:
    refused = [(one.account_id, one.customer_id, one.reason) for one in done.refused]
    return {
        "sent": done.sent,
        "unchanged": done.unchanged,
        "failed": done.failed,
        "not_tried": done.waiting,
        "without_id": done.without_id,
        "requests": done.calls,
        **common.table("refused", ("account", "customer", "reason"), refused),
    }


def _check(name: str, done: Written) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        passed=not done.troubles,
        severity=dg.AssetCheckSeverity.WARN,
        description=" ".join(done.troubles) or "It took every record that it was sent.",
        metadata={"sent": done.sent, "failed": done.failed, "not_tried": done.waiting},
    )
