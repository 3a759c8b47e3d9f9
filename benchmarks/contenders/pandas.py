"""The same work by hand in pandas: everything in memory, on one core where pandas has no other way."""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.contenders import Task, given

FEATURES = ("dashboards", "reports", "search", "alerts", "exports", "api", "audit_log", "single_sign_on")
USAGE_WEIGHTS = {
    "active_users_to_seats": 3, "stickiness": 1, "usage_vs_baseline": 3, "feature_breadth": 2,
    "days_since_last_activity": 2, "events_per_active_user_28d": 1,
}  # fmt: skip
OTHER_WEIGHTS = {"tickets_per_100_seats_90d": 20, "csat": 10, "days_past_due": 20}


def day_number(moments: pd.Series) -> pd.Series:
    """A date or time as the number of its day: differences are plain subtractions. NaN where there is none."""
    return pd.to_datetime(moments).dt.normalize().astype("datetime64[s]").sub(pd.Timestamp(0)).dt.days


def usage_by_user(task: Task) -> pd.DataFrame:
    """Grain: account, user and day; users and accounts by number. An event that came twice counts once."""
    columns = ["event_id", "account_id", "user_id", "feature", "happened_at"]
    files = sorted((task.landing / "usage").glob("*.parquet"))
    days = []
    for file in files:  # an event comes again on its own day: each file is rolled up by itself, which spares memory
        events = pq.read_table(file, columns=columns).to_pandas().drop_duplicates("event_id")
        bits = {name: 1 << place for place, name in enumerate(FEATURES)}
        events["features"] = events["feature"].map(bits).fillna(0).astype("int64")
        events["day"] = day_number(events["happened_at"]).astype("int32")
        grouped = events.groupby(["account_id", "user_id", "day"], sort=False)
        used = pd.DataFrame({"events": grouped.size()})
        for place in range(8):
            events[f"used_{place}"] = (events["features"] & (1 << place)) > 0
        flags = [f"used_{place}" for place in range(8)]
        used = used.join(events.groupby(["account_id", "user_id", "day"], sort=False)[flags].max())
        days.append(used.reset_index())
    return pd.concat(days, ignore_index=True)


def changes_of_users(user_days: pd.DataFrame) -> pd.DataFrame:
    """Grain: account and day on which a count changes."""
    ordered = user_days.sort_values(["user_id", "day"], ignore_index=True)
    is_same = ordered["user_id"].eq(ordered["user_id"].shift())
    since = ordered["day"].diff().where(is_same, 99)
    until = since.shift(-1, fill_value=99).where(is_same.shift(-1, fill_value=False), 99)
    flags = [f"used_{place}" for place in range(8)]
    opening = ordered[["account_id", "day", "events", *flags]].assign(
        user_days=1, users_28=(since >= 28).astype("int64"), users_7=(since >= 7).astype("int64")
    )
    after_28 = pd.DataFrame({
        "account_id": ordered["account_id"], "day": ordered["day"] + 28, "user_days": -1,
        "users_28": -(until >= 28).astype("int64"),
    })  # fmt: skip
    after_7 = pd.DataFrame({"account_id": ordered["account_id"], "day": ordered["day"] + 7, "users_7": -1})[until >= 7]
    sums = ["events", "user_days", "users_28", "users_7"]
    counts = pd.concat([opening.drop(columns=flags), after_28, after_7]).groupby(["account_id", "day"])[sums].sum()
    return counts.join(opening.groupby(["account_id", "day"])[flags].max())


def dense(keys: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Every day for every row of `keys`, in order."""
    first, last = (pd.Timestamp(day).toordinal() - date(1970, 1, 1).toordinal() for day in (task.first, task.last))
    return keys.merge(pd.DataFrame({"day": np.arange(first, last + 1)}), how="cross")


def windows(changes: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Grain: account and day from its first use on; what the measures of usage need."""
    accounts = pd.DataFrame({"account_id": changes.index.get_level_values(0).unique()})
    rows = dense(accounts.sort_values("account_id"), task).merge(changes, on=["account_id", "day"], how="left")
    account = rows["account_id"]

    def ago(column: pd.Series, days: int) -> pd.Series:
        return column.groupby(account, sort=False).shift(days, fill_value=0)

    used_on = rows["day"].where(rows["events"] > 0)
    for name in ("events", "user_days", "users_28", "users_7"):
        rows[name] = rows[name].fillna(0).groupby(account, sort=False).cumsum()
    rows["events"] -= ago(rows["events"], 28)
    rows["first_day"] = used_on.groupby(account, sort=False).transform("min")
    rows["last_day"] = used_on.groupby(account, sort=False).ffill()
    used_for = rows["day"] - rows["first_day"]
    recent = [np.zeros(len(rows))]
    for place in range(8):
        seen = rows["day"].where(rows.pop(f"used_{place}").eq(True)).groupby(account, sort=False).ffill()
        recent.append(recent[-1] + (rows["day"] - seen < 28))
    rows["features_5"], rows["features_8"] = recent[5], recent[8]
    weekly = rows["users_7"]
    rows["recent"] = weekly + ago(weekly, 7) + ago(weekly, 14)
    weeks = [ago(weekly, 7 * week).where(used_for >= 7 * week + 6) for week in range(4, 12)]
    is_known = (ago(rows["events"], 28) + ago(rows["events"], 56) >= 20) & (used_for >= 55)
    rows["baseline"] = np.nan
    known = np.column_stack([week[is_known] for week in weeks])
    rows.loc[is_known, "baseline"] = np.nanmedian(known, axis=1)
    return rows[used_for >= 0].drop(columns=["first_day", "users_7"])


def commercial(task: Task) -> pd.DataFrame:
    """Grain: account and day on which it was a customer; tickets, ratings and invoices."""
    accounts, tickets, surveys, invoices = (
        pd.read_parquet(task.landing / f"{name}.parquet") for name in ("accounts", "tickets", "surveys", "invoices")
    )
    rows = dense(accounts[["account_id", "segment", "plan", "seats", "created_on", "ended_on"]], task)
    created, ended = day_number(rows.pop("created_on")), day_number(rows.pop("ended_on"))
    rows = rows[(rows["day"] >= created) & ~(rows["day"] >= ended)]
    last = rows["day"].max()
    opened = (
        tickets.assign(day=day_number(tickets["opened_at"])).groupby(["account_id", "day"]).size().rename("tickets")
    )
    of_tickets = tickets[tickets["rating"].notna()]
    of_surveys = surveys[surveys["kind"] == "csat"]
    rated = pd.concat([
        pd.DataFrame({
            "account_id": answers["account_id"], "day": day_number(answers[day]), "rating": answers[rating],
        })
        for answers, day, rating in ((of_tickets, "solved_at", "rating"), (of_surveys, "answered_at", "score"))
    ])  # fmt: skip
    rated["satisfaction"] = 25 * (rated["rating"] - 1)
    ratings = rated.groupby(["account_id", "day"])["satisfaction"].agg(ratings="size", satisfaction="sum")
    due, paid = day_number(invoices["due_on"]), day_number(invoices["paid_on"]).fillna(last + 1)
    owed = pd.DataFrame({"account_id": invoices["account_id"], "due": due, "paid": paid})[
        (paid > due + 1) & (due < last)
    ]
    owed["day"] = [
        np.arange(int(a) + 1, int(b)) for a, b in zip(owed["due"], owed["paid"].clip(upper=last + 1), strict=True)
    ]
    owed = owed.explode("day").dropna(subset="day").astype({"day": "int64"})
    late = owed.groupby(["account_id", "day"])["due"].min()
    issued = day_number(invoices["issued_on"]).groupby(invoices["account_id"]).min().rename("issued")
    for facts in (opened, ratings, late):
        rows = rows.merge(facts, on=["account_id", "day"], how="left")
    rows = rows.merge(issued, on="account_id", how="left").sort_values(["account_id", "day"], ignore_index=True)
    account = rows["account_id"]
    for name in ("tickets", "ratings", "satisfaction"):
        so_far = rows[name].fillna(0).groupby(account, sort=False).cumsum()
        rows[name] = so_far - so_far.groupby(account, sort=False).shift(90, fill_value=0)
    none_due = pd.Series(np.where(rows["issued"] <= rows["day"], 0.0, np.nan))
    rows["days_past_due"] = (rows["day"] - rows.pop("due")).fillna(none_due)
    return rows.drop(columns="issued")


def measures(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the nine measures."""
    users, is_enterprise = rows["users_28"], rows["plan"] == "enterprise"
    divisor = users.where(users > 0)
    zero = (users == 0).map({True: 0.0, False: np.nan})
    return rows[["account_id", "day", "segment", "days_past_due"]].assign(
        active_users_to_seats=(users / rows["seats"]).clip(upper=1),
        stickiness=(rows["user_days"] / (28 * divisor)).fillna(zero),
        usage_vs_baseline=rows["recent"] / 3 / rows["baseline"].where(rows["baseline"] != 0),
        feature_breadth=np.where(is_enterprise, rows["features_8"] / 8, rows["features_5"] / 5),
        days_since_last_activity=rows["day"] - rows["last_day"],
        events_per_active_user_28d=(rows["events"] / divisor).fillna(zero),
        tickets_per_100_seats_90d=100 * rows["tickets"] / rows["seats"],
        csat=rows["satisfaction"] / rows["ratings"].where(rows["ratings"] > 0),
    )


def measure_scores(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the nine measure scores."""
    curves = {
        "active_users_to_seats": ([0, 0.75, 1], [0, 75, 100]), "stickiness": ([0, 0.4], [0, 100]),
        "usage_vs_baseline": ([0, 0.85], [0, 100]), "feature_breadth": ([0, 0.3, 0.6, 1], [0, 50, 80, 100]),
    }  # fmt: skip
    for name, (values, points) in curves.items():
        rows[f"{name}_score"] = np.interp(rows[name], values, points)  # NaN stays NaN
    rows["days_since_last_activity_score"] = 100 * np.exp(-np.log(2) * rows["days_since_last_activity"] / 30)
    ranked = rows.groupby(["day", "segment"])["events_per_active_user_28d"]
    lowest, highest, peers = ranked.rank("min"), ranked.rank("max"), ranked.transform("count")
    percentile = 100 * (lowest - 1 + (highest - lowest) / 2) / (peers - 1).where(peers >= 30)
    rows["events_per_active_user_28d_score"] = percentile
    rows["csat_score"] = rows["csat"]
    steps: dict[str, tuple[list[float], list[float]]] = {
        "tickets_per_100_seats_90d": ([0, 2, 6, 12], [60.0, 100.0, 75.0, 45.0, 20.0]),
        "days_past_due": ([0, 7, 30], [100.0, 75.0, 40.0, 0.0]),
    }
    for name, (ends, marks) in steps.items():
        found = np.array(marks)[np.searchsorted(ends, rows[name], side="left")]
        rows[f"{name}_score"] = np.where(rows[name].isna(), np.nan, found)
    return rows


def scores(rows: pd.DataFrame) -> pd.DataFrame:
    """The table: groups weighed, exception and bands."""
    usage_weight, usage_points = pd.Series(0.0, rows.index), pd.Series(0.0, rows.index)
    for name, weight in USAGE_WEIGHTS.items():
        usage_weight += weight * rows[f"{name}_score"].notna()
        usage_points += weight * rows[f"{name}_score"].fillna(0)
    others, points = pd.Series(0.0, rows.index), pd.Series(0.0, rows.index)
    for name, weight in OTHER_WEIGHTS.items():
        others += weight * rows[f"{name}_score"].notna()
        points += weight * rows[f"{name}_score"].fillna(0)
    of_usage = (50 * usage_points / usage_weight.where(usage_weight > 0, 1)).where(usage_weight > 0, 0)
    rows["raw_score"] = (of_usage + points) / (50 * (usage_weight > 0) + others)
    rows["coverage"] = (50 * usage_weight / 12 + others) / 100
    capped = rows["raw_score"].where(~(rows["days_past_due"] > 60), rows["raw_score"].clip(upper=49))
    rows["score"] = capped.where(rows["coverage"] >= 0.7 - 1e-9)
    shown = rows["score"].round(9)
    rows["band"] = np.select([shown.isna(), shown >= 75, shown >= 50], ["insufficient_data", "green", "yellow"], "red")
    rows["day"] = pd.to_datetime(rows["day"], unit="D").dt.date
    return rows.drop(columns="segment")


def main() -> None:
    """From the files to the table."""
    task = given()
    usage = windows(changes_of_users(usage_by_user(task)), task)
    rows = measures(commercial(task).merge(usage, on=["account_id", "day"], how="left"))
    scores(measure_scores(rows)).to_parquet(task.scores, compression="zstd", index=False)


if __name__ == "__main__":
    main()
