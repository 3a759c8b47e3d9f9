"""The same work by hand in polars: lazy, by its streaming engine."""

from datetime import date
from itertools import pairwise

import polars as pl

from benchmarks.contenders import Task, given

FEATURES = ("dashboards", "reports", "search", "alerts", "exports", "api", "audit_log", "single_sign_on")
EPOCH = date(1970, 1, 1)


def day_number(column: str) -> pl.Expr:
    """A date or time as the number of its day: differences are plain subtractions."""
    return pl.col(column).cast(pl.Date).cast(pl.Int32)


def usage_by_user(task: Task) -> pl.LazyFrame:
    """Grain: user and day. A user belongs to one account; an event that came twice counts once."""
    bits = pl.LazyFrame(
        {"feature": FEATURES, "bit": [1 << place for place in range(8)]}, schema_overrides={"bit": pl.Int64}
    )
    return (
        pl.scan_parquet(task.usage)
        .select("event_id", "account_id", "user_id", "feature", day=day_number("happened_at"))
        .unique("event_id", keep="any")
        .join(bits, on="feature", how="left")
        .group_by("account_id", "user_id", "day")
        .agg(events=pl.len().cast(pl.Int64), features=pl.col("bit").fill_null(0).bitwise_or())
    )


def changes_of_users(user_days: pl.DataFrame) -> pl.LazyFrame:
    """Grain: account and day on which a count changes."""
    ordered = user_days.lazy().sort("user_id", "day")
    day, user = pl.col("day"), pl.col("user_id")
    neighbours = ordered.with_columns(
        since=pl.when(user == user.shift(1)).then(day - day.shift(1)).otherwise(99),
        until=pl.when(user == user.shift(-1)).then(day.shift(-1) - day).otherwise(99),
    )
    opening = neighbours.select(
        "account_id", "day", "events", "features", user_days=pl.lit(1),
        users_28=(pl.col("since") >= 28).cast(pl.Int32), users_7=(pl.col("since") >= 7).cast(pl.Int32),
    )  # fmt: skip
    after_28 = neighbours.select(
        "account_id", day=day + 28, user_days=pl.lit(-1), users_28=-(pl.col("until") >= 28).cast(pl.Int32)
    )
    after_7 = neighbours.filter(pl.col("until") >= 7).select("account_id", day=day + 7, users_7=pl.lit(-1))
    return (
        pl.concat([opening, after_28, after_7], how="diagonal")
        .group_by("account_id", "day")
        .agg(pl.col("events", "user_days", "users_28", "users_7").sum(), pl.col("features").fill_null(0).bitwise_or())
    )


def windows(changes: pl.LazyFrame, task: Task) -> pl.LazyFrame:
    """Grain: account and day, every day of every account that was ever used."""
    first, last = (task.first - EPOCH).days, (task.last - EPOCH).days
    days = pl.LazyFrame({"day": range(first, last + 1)}, schema={"day": pl.Int32})
    dense = (
        changes.select("account_id").unique().join(days, how="cross")
        .join(changes, on=["account_id", "day"], how="left").sort("account_id", "day")
    )  # fmt: skip
    day = pl.col("day")
    seen = [
        pl.when(pl.col("features").fill_null(0) & (1 << place) > 0).then(day)
        .cum_max().forward_fill().over("account_id")
        .alias(f"seen_{place}")
        for place in range(8)
    ]  # fmt: skip
    used = pl.when(pl.col("events") > 0).then(day)
    running = dense.with_columns(
        pl.col("events", "user_days", "users_28", "users_7").fill_null(0).cum_sum().over("account_id"),
        *seen,
        first_day=used.min().over("account_id"),
        last_day=used.cum_max().forward_fill().over("account_id"),
    )
    return running.with_columns(events=pl.col("events") - pl.col("events").shift(28).over("account_id").fill_null(0))


def usage_measures(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Grain: account and day; what the measures of usage need."""
    day, weekly = pl.col("day"), pl.col("users_7")

    def ago(column: pl.Expr, days: int) -> pl.Expr:
        return column.shift(days).over("account_id").fill_null(0)

    used_for = day - pl.col("first_day")
    weeks = [pl.when(used_for >= 7 * week + 6).then(ago(weekly, 7 * week)) for week in range(4, 12)]
    is_known = (ago(pl.col("events"), 28) + ago(pl.col("events"), 56) >= 20) & (used_for >= 55)
    bits = [pl.when(day - pl.col(f"seen_{place}") < 28).then(1).otherwise(0) for place in range(8)]
    return rows.with_columns(
        recent=weekly + ago(weekly, 7) + ago(weekly, 14),
        baseline=pl.when(is_known).then(pl.concat_list(weeks).list.drop_nulls().list.median()),
        features_5=pl.sum_horizontal(bits[:5]),
        features_8=pl.sum_horizontal(bits),
    ).filter(day >= pl.col("first_day")).select(
        "account_id", "day", "users_28", "user_days", "events", "recent", "baseline", "features_5", "features_8",
        "last_day",
    )  # fmt: skip


def commercial(task: Task) -> pl.LazyFrame:
    """Grain: account and day on which it was a customer; tickets, ratings and invoices."""
    first, last = (task.first - EPOCH).days, (task.last - EPOCH).days
    days = pl.LazyFrame({"day": range(first, last + 1)}, schema={"day": pl.Int32})
    tickets = pl.scan_parquet(task.landing / "tickets.parquet")
    surveys = pl.scan_parquet(task.landing / "surveys.parquet").filter(pl.col("kind") == "csat")
    invoices = pl.scan_parquet(task.landing / "invoices.parquet").select(
        "account_id", issued=day_number("issued_on"), due=day_number("due_on"),
        paid=day_number("paid_on").fill_null(last + 1),
    )  # fmt: skip
    opened = tickets.group_by("account_id", day=day_number("opened_at")).agg(tickets=pl.len().cast(pl.Int64))
    rated = (
        pl.concat([
            tickets.filter(pl.col("rating").is_not_null()).select("account_id", "rating", day=day_number("solved_at")),
            surveys.select("account_id", rating="score", day=day_number("answered_at")),
        ])
        .group_by("account_id", "day")
        .agg(ratings=pl.len().cast(pl.Int64), satisfaction=(25 * (pl.col("rating") - 1)).cast(pl.Int64).sum())
    )  # fmt: skip
    late = (
        invoices.filter(pl.col("paid") > pl.col("due") + 1, pl.col("due") + 1 <= last)
        .with_columns(start=pl.max_horizontal(pl.col("due") + 1, first), end=pl.min_horizontal("paid", last + 1))
        .with_columns(day=pl.int_ranges("start", "end", dtype=pl.Int32))
        .explode("day").drop_nulls("day").group_by("account_id", "day").agg(pl.col("due").min())
    )  # fmt: skip
    invoiced = invoices.group_by("account_id").agg(pl.col("issued").min())
    accounts = pl.scan_parquet(task.landing / "accounts.parquet").select(
        "account_id", "segment", "plan", "seats", created=day_number("created_on"), ended=day_number("ended_on")
    )
    dense = accounts.join(days, how="cross").filter(
        pl.col("day") >= pl.col("created"), pl.col("ended").is_null() | (pl.col("day") < pl.col("ended"))
    )
    for facts in (opened, rated, late):
        dense = dense.join(facts, on=["account_id", "day"], how="left")
    so_far = pl.col("tickets", "ratings", "satisfaction").fill_null(0).cum_sum().over("account_id")
    return (
        dense.join(invoiced, on="account_id", how="left").sort("account_id", "day").with_columns(so_far)
        .with_columns(
            pl.col(name) - pl.col(name).shift(90).over("account_id").fill_null(0)
            for name in ("tickets", "ratings", "satisfaction")
        )
        .with_columns(
            days_past_due=pl.when(pl.col("due").is_not_null()).then(pl.col("day") - pl.col("due"))
            .when(pl.col("issued") <= pl.col("day")).then(0)
        )
    )  # fmt: skip


def measures(days: pl.LazyFrame, usage: pl.LazyFrame) -> pl.LazyFrame:
    """Grain: account and day; the nine measures."""
    users = pl.col("users_28")
    is_enterprise = pl.col("plan") == "enterprise"
    return days.join(usage, on=["account_id", "day"], how="left").select(
        "account_id", "day", "segment", "days_past_due",
        active_users_to_seats=pl.min_horizontal(users / pl.col("seats"), pl.when(users.is_not_null()).then(1.0)),
        stickiness=pl.when(users == 0).then(0.0).otherwise(pl.col("user_days") / (28 * users)),
        usage_vs_baseline=pl.when(pl.col("baseline") != 0).then(pl.col("recent") / 3 / pl.col("baseline")),
        feature_breadth=pl.when(is_enterprise).then(pl.col("features_8") / 8).otherwise(pl.col("features_5") / 5),
        days_since_last_activity=pl.col("day") - pl.col("last_day"),
        events_per_active_user_28d=pl.when(users == 0).then(0.0).otherwise(pl.col("events") / users),
        tickets_per_100_seats_90d=100 * pl.col("tickets") / pl.col("seats"),
        csat=pl.when(pl.col("ratings") > 0).then(pl.col("satisfaction") / pl.col("ratings")),
    )  # fmt: skip


def measure_scores(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Add the nine measure scores."""

    def curve(name: str, points: list[tuple[float, float]]) -> pl.Expr:
        value, found = pl.col(name), pl.lit(points[-1][1])
        for (x0, y0), (x1, y1) in reversed(list(pairwise(points))):
            found = pl.when(value < x1).then(y0 + (y1 - y0) * (value - x0) / (x1 - x0)).otherwise(found)
        return pl.when(value.is_not_null()).then(found).alias(f"{name}_score")

    def steps(name: str, ends: list[tuple[float, float]], beyond: float) -> pl.Expr:
        value, found = pl.col(name), pl.lit(beyond)
        for end, score in reversed(ends):
            found = pl.when(value <= end).then(score).otherwise(found)
        return pl.when(value.is_not_null()).then(found).alias(f"{name}_score")

    ranked = pl.col("events_per_active_user_28d")
    peers = ["day", "segment"]
    below = ranked.rank("min").over(peers) - 1
    level_with = ranked.rank("max").over(peers) - ranked.rank("min").over(peers)
    count = ranked.count().over(peers)
    return rows.with_columns(
        curve("active_users_to_seats", [(0, 0), (0.75, 75), (1, 100)]),
        curve("stickiness", [(0, 0), (0.4, 100)]),
        curve("usage_vs_baseline", [(0, 0), (0.85, 100)]),
        curve("feature_breadth", [(0, 0), (0.3, 50), (0.6, 80), (1, 100)]),
        days_since_last_activity_score=100 * (pl.col("days_since_last_activity") * -0.6931471805599453 / 30).exp(),
        events_per_active_user_28d_score=pl.when(count >= 30).then(100 * (below + level_with / 2) / (count - 1)),
        csat_score=pl.col("csat"),
    ).with_columns(
        steps("tickets_per_100_seats_90d", [(0, 60.0), (2, 100.0), (6, 75.0), (12, 45.0)], 20.0),
        steps("days_past_due", [(0, 100.0), (7, 75.0), (30, 40.0)], 0.0),
    )


def scores(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The table: groups weighed, exception and bands."""
    weights = {
        "active_users_to_seats": 3, "stickiness": 1, "usage_vs_baseline": 3, "feature_breadth": 2,
        "days_since_last_activity": 2, "events_per_active_user_28d": 1,
    }  # fmt: skip
    usage = {name: pl.col(f"{name}_score") for name in weights}
    others = {"tickets_per_100_seats_90d": 20, "csat": 10, "days_past_due": 20}
    weighed = rows.with_columns(
        usage_weight=pl.sum_horizontal(weights[name] * one.is_not_null() for name, one in usage.items()),
        usage_points=pl.sum_horizontal(weights[name] * one.fill_null(0) for name, one in usage.items()),
        weight=pl.sum_horizontal(weight * pl.col(f"{name}_score").is_not_null() for name, weight in others.items()),
        points=pl.sum_horizontal(weight * pl.col(f"{name}_score").fill_null(0) for name, weight in others.items()),
    )
    weight, has_usage = pl.col("usage_weight"), pl.col("usage_weight") > 0
    summed = weighed.with_columns(
        raw_score=(pl.when(has_usage).then(50 * pl.col("usage_points") / weight).otherwise(0) + pl.col("points"))
        / (50 * has_usage + pl.col("weight")),
        coverage=(50 * weight / 12 + pl.col("weight")) / 100,
    )
    raw = pl.col("raw_score")
    held = summed.with_columns(
        score=pl.when(pl.col("coverage") >= 0.7 - 1e-9).then(
            pl.when(pl.col("days_past_due") > 60).then(pl.min_horizontal(raw, 49.0)).otherwise(raw)
        )
    )
    shown = pl.col("score").round(9)
    band = pl.when(shown.is_null()).then(pl.lit("insufficient_data")).when(shown >= 75).then(pl.lit("green"))
    kept = [name for one in (*weights, *others) for name in (one, f"{one}_score")]
    return held.select(
        "account_id", pl.col("day").cast(pl.Date), "raw_score", "score",
        band.when(shown >= 50).then(pl.lit("yellow")).otherwise(pl.lit("red")).alias("band"), "coverage", *kept,
    )  # fmt: skip


def main() -> None:
    """From the files to the table."""
    task = given()
    user_days = usage_by_user(task).collect(engine="streaming")
    usage = usage_measures(windows(changes_of_users(user_days), task))
    table = scores(measure_scores(measures(commercial(task), usage)))
    table.sink_parquet(task.scores, compression="zstd")


if __name__ == "__main__":
    main()
