"""The `write_back` part of config/pipeline.yml: which CRMs get the health of their customers, and in which fields.

Key and address of a target are those of `sources.<provider>`, and so is who an account is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from dagster_project.config_file import KeyPath, mapping, sequence, suggest
from dagster_project.config_types import Strict, refuse, show

Value = Literal["score", "band", "change", "drivers", "day", "status"]
VALUES: tuple[Value, ...] = get_args(Value)
OWN_ID = "Id"  # of an account, in Salesforce: with it a record is never made, only changed
_STRIPE_KEY = 40  # characters that a key of Stripe's metadata may have


def _property(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,99}", value):
        raise refuse(f"should be the API name of a field, such as health_score or Health_Score__c; is {show(value)}")
    return value


Property = Annotated[str, BeforeValidator(_property)]


class Target(Strict):
    """A CRM that is written to: its fields, and which value each gets."""

    fields: Annotated[dict[Property, Value], Field(min_length=1)]


class SalesforceTarget(Target):
    """Salesforce. `external_id` is the field that finds an account: its own id, or the one it was matched by."""

    external_id: Property = OWN_ID


class WriteBack(Strict):
    """The health of accounts is written back to CRMs. Nothing is sent unless `enabled` is true."""

    enabled: bool = Field(default=False, strict=True)
    hubspot: Target | None = None
    salesforce: SalesforceTarget | None = None
    stripe: Target | None = None

    @property
    def targets(self) -> dict[str, Target]:
        """Those that config names, on or off, by provider."""
        found = {name: getattr(self, name) for name in TARGETS}
        return {name: target for name, target in found.items() if target is not None}


TARGETS = tuple(name for name in WriteBack.model_fields if name != "enabled")


def check_write_back(data: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """What holds between the keys: a target's provider is a source, and nothing is written to what is read."""
    content, sources = mapping(data.get("write_back")), mapping(data.get("sources"))
    named = [name for name in TARGETS if content.get(name) is not None]
    if content.get("enabled") is True and not named:
        yield ("write_back",), f"names no target; legal: {', '.join(TARGETS)}"
    for name in named:
        path: KeyPath = ("write_back", name)
        source, target = mapping(sources.get(name)), mapping(content[name])
        if not source:
            yield path, f"sources.{name} is missing: key, address and who an account is there are taken from it"
            continue
        read = dict(_read_fields(name, source))
        for field in mapping(target.get("fields")):
            if field in read:
                yield (*path, "fields", field), f"is read as {read[field]}; write to a field of its own"
            if name == "stripe" and len(field) > _STRIPE_KEY:
                yield (*path, "fields", field), f"has {len(field)} characters; Stripe takes {_STRIPE_KEY}"
        if name == "salesforce":
            yield from _check_external_id(target, source)


def _check_external_id(target: Mapping[str, Any], source: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Salesforce makes a new account of a value that it does not find: only a field that was read may find one."""
    asked, match = target.get("external_id", OWN_ID), mapping(source.get("match"))
    path: KeyPath = ("write_back", "salesforce", "external_id")
    legal = [OWN_ID]
    if match.get("by") == ["external_id"] and isinstance(match.get("external_id"), str):
        legal = list(dict.fromkeys([OWN_ID, match["external_id"]]))
    if asked not in legal:
        yield (
            path,
            f"{show(asked)} might not find an account, and Salesforce would make a new one: "
            f"where match.by is [external_id] alone, the field of match.external_id may stand here; "
            f"{suggest(asked, legal)}",
        )
    if isinstance(asked, str) and asked in mapping(target.get("fields")):
        yield ("write_back", "salesforce", "fields", asked), "is the external_id; it cannot be written to"


def _read_fields(provider: str, source: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(field, the key of config that reads it), with the field as it is written to."""
    match, accounts, keep = (mapping(source.get(part)) for part in ("match", "accounts", "keep"))
    for table, fields in keep.items():
        yield from ((_written(field), f"sources.{provider}.keep.{table}") for field in sequence(fields))
    for name in ("external_id", "domain"):
        yield _written(match.get(name)), f"sources.{provider}.match.{name}"
    for name, field in accounts.items():
        for one in field if isinstance(field, dict) else [field]:
            yield _written(one), f"sources.{provider}.accounts.{name}"


def _written(field: object) -> str:
    return str(field).removeprefix("properties.").removeprefix("metadata.")
