"""SQL text with its values kept apart: a value is bound, never pasted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Parameters:
    """Collects the values of one statement. `bind` gives the placeholder to write in its place."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def bind(self, value: Any) -> str:
        """Keep a value (text, number, date or a list of them) and return `$p1`, `$p2` ..."""
        name = f"p{len(self.values) + 1}"
        self.values[name] = value
        return f"${name}"


def choose(value: str, results: Iterable[tuple[str, str]], otherwise: str = "null") -> str:
    """SQL that compares a value with others in turn and gives the result beside the first equal one (all are SQL).

    Write no `x in (...)` where rows are read: DuckDB makes a join of it, and a join may change the order of the rows,
    by which they know their lines.
    """
    cases = " ".join(f"when {match} then {result}" for match, result in results)
    return f"case {value} {cases} else {otherwise} end" if cases else otherwise
