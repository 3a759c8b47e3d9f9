"""Whether the score told the truth, after each publish: the backtest as an asset with a check."""

import math
from collections.abc import Iterator

import dagster as dg

from dagster_project.components import common
from dagster_project.components.results import MART
from dagster_project.report.reading import open_mart
from dagster_project.settings import Settings
from dagster_project.validation.backtest import (
    CASES,
    FEW_LOSSES,
    HORIZONS,
    MEASURES,
    Backtest,
    backtest,
    doubts_of,
    words_of,
)

BACKTEST = dg.AssetKey(["validation", "backtest"])
NO_DOUBT = "nothing_speaks_against_the_score"
TOLD = 60  # days before the decision: the horizon that is told in words, and that the check looks at


def backtest_asset(settings: Settings) -> dg.AssetsDefinition:
    """Asset `validation/backtest`: scores of 30 to 180 days before customers decided, against what they decided."""

    @dg.asset(
        key=BACKTEST,
        deps=[MART],
        group_name="validate",
        description="Scores so long before customers left, renewed, grew or shrank, against what they did. "
        "`health backtest` shows the same.",
        owners=common.OWNERS,
        kinds={"duckdb"},
        check_specs=[
            dg.AssetCheckSpec(
                NO_DOUBT,
                asset=BACKTEST,
                description=f"Scores of {TOLD} days before tell losses from the rest, and not better than can be "
                f"believed; below {FEW_LOSSES} losses nobody can say. If it fails, the run goes on: read `health "
                "backtest`, and look at the weights and at known_at of the sources.",
            )
        ],
    )
    def told() -> Iterator[dg.MaterializeResult[None]]:
        with open_mart(settings.mart_folder / "mart.duckdb") as mart:
            rows, single = mart.rows(CASES), mart.rows(MEASURES, {"days": TOLD})
        found = {days: backtest(rows, single if days == TOLD else (), days) for days in HORIZONS}
        doubts, are_few = doubts_of(found[TOLD]), found[TOLD].losses < FEW_LOSSES
        yield dg.MaterializeResult(
            metadata={
                "in_words": dg.MetadataValue.md("\n\n".join(words_of(found[TOLD]))),
                "cases": found[TOLD].cases,
                "losses": found[TOLD].losses,
                **common.table(
                    "horizons",
                    ("days before", "cases", "losses", "AUC", "from", "to", "lift in the worst 10 %"),
                    [_row(one) for one in found.values() if not math.isnan(one.auc.value)],
                ),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name=NO_DOUBT,
                    passed=not doubts or are_few,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=f"{found[TOLD].losses} losses are too few to say."
                    if are_few
                    else " ".join(doubts) or "Nothing speaks against the score.",
                )
            ],
        )

    return told


def _row(one: Backtest) -> tuple[object, ...]:
    auc = one.auc
    return one.days_before, one.cases, one.losses, *(round(of, 3) for of in (auc.value, auc.low, auc.high, one.lift))
