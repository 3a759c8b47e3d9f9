"""A PostgreSQL database, attached to a DuckDB of its own by an extension that is installed with the project."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from dagster_project.provider_settings import MissingKeyError, key_of
from dagster_project.warehouse import literal

MEMORY = "400MB"  # of DuckDB, which hands the rows through
CONNECT_SECONDS = 10
_NOT_ALLOWED = re.compile(r"permission denied for (\w+) (\S+)")
_REASONS = {
    "password authentication failed": "refused the password",
    "no password supplied": "refused the password",
    'role "': "does not know the user",
    "connection refused": "does not answer",
    "timeout expired": "does not answer",
    "could not translate host name": "is not to be found",
    "does not exist": "does not know a table, column or database that is asked for",
    "syntax error": "does not understand the query",
    "statement timeout": "took too long and was stopped by statement_timeout",
}


class DatabaseError(Exception):
    """The database did not do what was asked; the message says why and what to look at."""


@contextmanager
def attached(url: str, *, writes: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB in memory with the database as `pg`. `url` names the variable that holds its address.

    Raises DatabaseError: no variable, no answer, a wrong password.
    """
    try:
        address = key_of(url)
    except MissingKeyError as error:
        raise DatabaseError(str(error).replace("for a key", "for the database's address")) from None
    with duckdb.connect(config={"memory_limit": MEMORY, "threads": 2, "autoload_known_extensions": False}) as con:
        con.execute(f"load {literal(str(_extension()))}")
        with faults_in_words("database", url):
            timeout = f"{'&' if '?' in address else '?'}connect_timeout={CONNECT_SECONDS}" if "://" in address else ""
            con.execute(f"attach {literal(address + timeout)} as pg (type postgres{'' if writes else ', read_only'})")
        yield con


def _extension() -> Path:
    """The file of DuckDB's extension: nothing is fetched when it runs."""
    import duckdb_extension_postgres_scanner as package  # type: ignore[import-untyped]

    version = f"v{duckdb.__version__}"
    file = Path(str(package.__file__)).parent / "extensions" / version / "postgres_scanner.duckdb_extension"
    if not file.exists():
        raise DatabaseError(
            f"PostgreSQL cannot be used with DuckDB {duckdb.__version__}: duckdb-extension-postgres-scanner is of "
            "another version; install both by requirements.lock (make setup)"
        )
    return file


@contextmanager
def faults_in_words(what: str, url: str | None = None, needs: str = "grant select") -> Iterator[None]:
    """Raises DatabaseError for a fault of the database. DuckDB's own hold the address with its password."""
    try:
        yield
    except duckdb.Error as error:
        said = str(error)
        denied = _NOT_ALLOWED.search(said)
        lower = said.lower()
        reason = next((words for mark, words in _REASONS.items() if mark in lower), f"failed ({type(error).__name__})")
        if denied:
            reason = f"does not let this user use the {denied[1]} {denied[2]}; it needs: {needs}"
        where = f"; check {url.removeprefix('env:')}" if url else ""
        raise DatabaseError(f"{what}: PostgreSQL {reason}{where}") from None
