"""The same work by hand in Spark SQL, on two cores of this machine (local[2])."""

from pathlib import Path

from pyspark.sql import SparkSession

from benchmarks.check import MEASURES
from benchmarks.contenders import given


def main() -> None:
    """From the files to the table."""
    task = given()
    columns = ", ".join(f"cast({name} as double) as {name}" for one in MEASURES for name in (one, f"{one}_score"))
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    names = {"landing": task.landing, "first": task.first, "last": task.last, "measures": columns}
    for name, value in names.items():
        script = script.replace(f"{{{name}}}", str(value))
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "5g")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "8")
        .config("spark.sql.ansi.enabled", "false")
        .config("spark.local.dir", str(task.output / "tmp"))
        .config("spark.sql.warehouse.dir", str(task.output / "tmp"))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    for statement in script.split(";\n"):
        if statement.strip():
            session.sql(statement)
    session.table("scores").write.option("compression", "zstd").parquet(task.scores)
    session.stop()


if __name__ == "__main__":
    main()
