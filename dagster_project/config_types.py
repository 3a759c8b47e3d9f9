"""The values a config file may hold, each with the sentence that refuses anything else."""

from __future__ import annotations

import difflib
import re
from datetime import date
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError


class Strict(BaseModel):
    """A part of a config file: unknown keys are refused, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


def as_number(value: object) -> float | None:
    """A finite number from a number or its text (keys are text); None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < float("inf") else None


def show(value: object) -> str:
    """A value as it would stand in the file, cut to 60 characters."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "a mapping"
    text = f"'{value}'" if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def refuse(text: str) -> PydanticCustomError:
    """An error whose sentence is taken as it stands (braces and all)."""
    return PydanticCustomError("config", "{sentence}", {"sentence": text})


def finite(value: object) -> float:
    """A finite number from YAML; text that looks like one is refused."""
    if isinstance(value, str) or as_number(value) is None:
        raise refuse(f"should be a finite number, is {show(value)}")
    return float(value)  # type: ignore[arg-type]


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**31:
        raise refuse(f"should be a whole number, is {show(value)}")
    return value


def _key_number(value: object) -> float:
    number = as_number(value)
    if number is None:
        raise refuse(f"should be a finite number, is {show(value)}")
    return number


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise refuse(f"should be text, is {show(value)}; put it in quotes")
    if not value.strip():
        raise refuse("should not be empty")
    return value


def _place(value: object) -> Path:
    return value if isinstance(value, Path) else Path(_text(value))


_NAME = "[a-z][a-z0-9_]{0,62}"


def _name(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(_NAME, value):
        raise refuse(
            f"should be a name of small letters, digits and '_' that begins with a letter, such as health_score; "
            f"is {show(value)}"
        )
    return value


_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"


def _day(value: object) -> date:
    """A date written as YYYY-MM-DD and nothing else: 01/02/2026 is January to some and February to others."""
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not re.fullmatch(_DAY, value):
        raise refuse(f"should be a date written as YYYY-MM-DD, such as 2026-06-30; is {show(value)}")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise refuse(f"{value} is not a day of the calendar; write it as YYYY-MM-DD, such as 2026-06-30") from None


def _timezone(value: object) -> str:
    name = _text(value)
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        close = difflib.get_close_matches(name, available_timezones(), n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise refuse(f"{show(name)} is no time zone; {hint}legal: IANA names, such as UTC or Europe/Berlin") from None
    return name


Number = Annotated[float, BeforeValidator(finite)]
KeyNumber = Annotated[float, BeforeValidator(_key_number)]
Whole = Annotated[int, BeforeValidator(_whole)]
Text = Annotated[str, BeforeValidator(_text)]
Place = Annotated[Path, BeforeValidator(_place)]
Name = Annotated[str, BeforeValidator(_name, json_schema_input_type=Annotated[str, Field(pattern=f"^{_NAME}$")])]
Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=Annotated[str, Field(pattern=f"^{_DAY}$")])]
Timezone = Annotated[str, BeforeValidator(_timezone)]
