"""The `sources` part of config/pipeline.yml: where files lie, and how their columns become an entity's columns."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from dagster_project.config_file import KeyPath, mapping, sequence, suggest
from dagster_project.config_types import Name, Number, Place, Strict, Text, Timezone, Whole, refuse, show
from dagster_project.entities import ENTITIES, Column, Entity
from dagster_project.provider_settings import (
    PROVIDERS,
    Address,
    ChargebeeSource,
    DelightedSource,
    FreshdeskSource,
    HubspotSource,
    IntercomSource,
    PosthogSource,
    ProviderSource,
    SalesforceSource,
    Secret,
    StripeSource,
    TypeformSource,
    ZendeskSource,
    check_providers,
)

FileFormat = Literal["csv", "jsonl", "parquet"]
Through = Literal["users", "subscriptions"]

_FORMATS: dict[str, FileFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
_COMPRESSED = (".gz", ".zst")
_REACHED_BY: dict[str, str] = {"users": "user_id", "subscriptions": "subscription_id"}
_TIME_CODE = re.compile(r"%[a-zA-Z]")


def format_of(name: str) -> FileFormat | None:
    """The format that a file's name or a glob's end tells, compressed or not; None when it tells nothing."""
    path = Path(name.lower())
    if path.suffix in _COMPRESSED:
        path = path.with_suffix("")
    return _FORMATS.get(path.suffix)


def _plain_text(value: object) -> object:
    """A plain value as the text that a file would hold: `value: true` is the text true."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, (int, float)) else value


def _glob(value: str) -> str:
    if Path(value).is_absolute() or ".." in Path(value).parts:
        raise refuse(f"{show(value)} leads out of the source's folder; name files inside `folder`, without '..'")
    return value


def _bucket(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", value):
        raise refuse(f"should be the name of a bucket, without s3:// and without a folder; is {show(value)}")
    return value


def _table(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"\w+(\.\w+)?", value):
        raise refuse(f"should be a table, as in public.events; is {show(value)}")
    return value


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _delimiter(value: str) -> str:
    if len(value) != 1 or value in '"\r\n':
        raise refuse(f'should be one character, such as ";" or "\\t"; is {show(value)}')
    return value


def _encoding(value: object) -> object:
    """`UTF8` and `iso-8859-1` are other spellings of legal encodings."""
    try:
        name = codecs.lookup(str(value)).name
    except LookupError:
        return value
    return {"iso8859-1": "latin-1"}.get(name, name)


def _short_mapping(value: object) -> object:
    """`severity: priority` is short for `severity: {column: priority}`; a column without a name goes by its place."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {"column": str(value)}
    return value if isinstance(value, dict) else {"column": value}


Glob = Annotated[Text, AfterValidator(_glob)]
Recoded = Annotated[str, BeforeValidator(_plain_text)]


class ColumnMapping(Strict):
    """Where one entity column comes from: a `column` of the file, a constant `value`, or `through` another entity.

    `format` is a strptime format for dates and times; `values` recodes texts (one not listed is kept as it is);
    `scale` multiplies numbers, such as 0.01 for cents.
    """

    column: Text | None = None
    value: Recoded | None = None
    through: Through | None = None
    format: Text | None = None
    values: dict[str, Recoded] = Field(default_factory=dict)
    scale: Number | None = None


class FileEntity(Strict):
    """Files that hold one entity, and their mapping. `files` are globs relative to the source's folder.

    Of CSV: without a `header` columns go by their place, from 1; without `quotes` a quote is a character like another.
    """

    files: Annotated[tuple[Glob, ...], BeforeValidator(_one_or_more), Field(min_length=1)]
    format: FileFormat | None = None
    encoding: Annotated[Literal["utf-8", "latin-1", "utf-16"], BeforeValidator(_encoding)] = "utf-8"
    delimiter: Annotated[str, AfterValidator(_delimiter)] | None = None
    header: Annotated[bool, Field(strict=True)] = True
    quotes: Annotated[bool, Field(strict=True)] = True
    nulls: tuple[str, ...] = ("", "NULL", "null", "None", "NaN")
    columns: dict[str, Annotated[ColumnMapping, BeforeValidator(_short_mapping)]]


class ObjectStore(Strict):
    """An S3-compatible store whose objects are the files. Without keys those of the machine are used."""

    bucket: Annotated[str, BeforeValidator(_bucket)]
    prefix: Text = ""
    region: Text | None = None
    endpoint: Address | None = None
    key_id: Secret | None = None
    secret: Secret | None = None


class Extract(Strict):
    """What is asked of a database: a table or a query. With a `cursor` only rows that are new by this column.

    `look_back_minutes` is how far before the newest row the next run looks for rows that came late; only for times.
    """

    table: Annotated[str, BeforeValidator(_table)] | None = None
    query: Text | None = None
    cursor: Name | None = None
    look_back_minutes: Annotated[Whole, Field(ge=0, le=10_080)] = 0


class Database(Strict):
    """A PostgreSQL database; `url` names the variable that holds its address, with user and password."""

    url: Secret
    extracts: Annotated[dict[Name, Extract], Field(min_length=1)]


class FilesSource(Strict):
    """A folder of files. `timezone` is that of times which carry no offset; the company's where left out."""

    folder: Place
    store: ObjectStore | None = None
    database: Database | None = None
    timezone: Timezone | None = None
    entities: dict[Name, FileEntity]


class Sources(Strict):
    """Everything the pipeline reads."""

    files: FilesSource | None = None
    stripe: StripeSource | None = None
    chargebee: ChargebeeSource | None = None
    delighted: DelightedSource | None = None
    freshdesk: FreshdeskSource | None = None
    hubspot: HubspotSource | None = None
    intercom: IntercomSource | None = None
    posthog: PosthogSource | None = None
    salesforce: SalesforceSource | None = None
    typeform: TypeformSource | None = None
    zendesk: ZendeskSource | None = None

    @property
    def providers(self) -> dict[str, ProviderSource]:
        """The providers called over their API that this company uses, by name."""
        found = {name: getattr(self, name) for name in PROVIDERS}
        return {name: source for name, source in found.items() if source is not None}


Found = Iterator[tuple[KeyPath, str]]


def check_sources(data: dict[str, Any]) -> Found:
    """What holds between the keys of `sources`: each mapping against its entity's contract."""
    sources = mapping(data.get("sources"))
    has_accounts = any(mapping(sources.get(name)).get("accounts") is not None for name in PROVIDERS)
    if "sources" in data and not sources.get("files") and not has_accounts:
        named = any(name in sources for name in PROVIDERS)
        missing = (
            "'files' is missing: it holds the accounts, and without them there is nobody to score; or a CRM gives "
        )
        missing += "them, as in `hubspot: {accounts: {...}}`"
        yield ("sources",), missing if named else "names no source, so there is nothing to score; legal: files"
        return
    yield from check_providers(sources)
    yield from _check_store(mapping(mapping(sources.get("files")).get("store")))
    yield from _check_extracts(mapping(mapping(mapping(sources.get("files")).get("database")).get("extracts")))
    entities = mapping(mapping(sources.get("files")).get("entities"))
    path: KeyPath = ("sources", "files", "entities")
    if entities and "accounts" not in entities and not has_accounts:
        yield path, "'accounts' is missing: without it there is nobody to score"
    for name, content in entities.items():
        if name not in ENTITIES:
            yield (*path, name), f"unknown entity; {suggest(name, ENTITIES)}"
        elif isinstance(content, dict):
            yield from _check_entity(ENTITIES[name], content, (*path, name), set(entities))


def _check_store(store: dict[str, Any]) -> Found:
    for one, other in (("key_id", "secret"), ("secret", "key_id")):
        if store.get(one) is not None and store.get(other) is None:
            yield ("sources", "files", "store"), f"'{other}' is missing: it goes with {one}"


def _check_extracts(extracts: dict[str, Any]) -> Found:
    for name, content in extracts.items():
        extract, path = mapping(content), ("sources", "files", "database", "extracts", name)
        if (extract.get("table") is None) == (extract.get("query") is None):
            yield path, "needs one of table and query"
        if extract.get("cursor") is None and extract.get("look_back_minutes"):
            yield (*path, "look_back_minutes"), "goes with a cursor; leave it out, everything is read each time"


def _check_entity(entity: Entity, content: dict[str, Any], path: KeyPath, entities: set[str]) -> Found:
    files = content.get("files")
    for pattern in [files] if isinstance(files, str) else sequence(files):
        if not content.get("format") and isinstance(pattern, str) and format_of(pattern) is None:
            yield (*path, "files"), f"{show(pattern)} does not tell its format; add `format:` csv, jsonl or parquet"
    if not isinstance(content.get("columns"), dict):
        return
    columns, here = content["columns"], (*path, "columns")
    for name, column in entity.columns.items():
        if column.required and name not in columns:
            yield here, f"'{name}' ({column.meaning}) is missing; map it, as in `{name}: name_of_a_column`"
    if entity.may_reach_account and "account_id" not in columns:
        yield here, "'account_id' is missing; map it, or reach it: `account_id: {through: subscriptions}` (or users)"
    for name, content_of_column in columns.items():
        if name not in entity.columns:
            yield (*here, name), f"unknown column; {suggest(name, entity.columns)}"
        elif isinstance(content_of_column, dict):
            yield from _check_column(entity.columns[name], content_of_column, (*here, name))
    through = mapping(columns.get("account_id")).get("through")
    if isinstance(through, str):
        yield from _check_through(entity, through, columns, (*here, "account_id"), entities)


def _check_column(column: Column, content: dict[str, Any], path: KeyPath) -> Found:
    given = [key for key in ("column", "value", "through") if content.get(key) is not None]
    if len(given) != 1:
        has = f"has {' and '.join(given)}" if given else "has none"
        yield path, f"should have exactly one of column (of the file), value (a constant) and through; {has}"
    if "through" in content and path[-1] != "account_id":
        yield (*path, "through"), "only account_id can be reached through another entity; name a `column`"
    if given != ["column"]:
        for key in ("format", "values", "scale"):
            if key in content:
                yield (*path, key), "goes with `column` only; leave it out"
    pattern, scale = content.get("format"), content.get("scale")
    if pattern is not None and column.type not in ("date", "timestamp"):
        yield (*path, "format"), f"is for dates and times; {path[-1]} is {column.type}: leave it out"
    elif isinstance(pattern, str) and not _TIME_CODE.search(pattern):
        yield (*path, "format"), f"{show(pattern)} has no % code; write it as in '%d/%m/%Y %H:%M'"
    if scale is not None and column.type not in ("integer", "decimal"):
        yield (*path, "scale"), f"is for numbers; {path[-1]} is {column.type}: leave it out"
    elif scale == 0:
        yield (*path, "scale"), "0 would make every value 0; leave it out"


def _check_through(entity: Entity, through: str, columns: dict[str, Any], path: KeyPath, entities: set[str]) -> Found:
    if not entity.may_reach_account:
        yield path, f"{entity.name} cannot reach the account through another entity; map a `column`"
    elif through in _REACHED_BY:
        key = _REACHED_BY[through]
        if key not in columns:
            yield path, f"to go through {through}, map '{key}' too"
        if through not in entities:
            yield path, f"goes through {through}, which this source does not have; add the entity {through}"
