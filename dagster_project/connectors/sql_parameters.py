"""SQL text with its values kept apart: a value is bound, never pasted."""

from __future__ import annotations

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


def literal(text: str) -> str:
    """A text as SQL, for the few places where DuckDB takes no parameter (keys of `columns = {...}`)."""
    return "'" + text.replace("'", "''") + "'"
