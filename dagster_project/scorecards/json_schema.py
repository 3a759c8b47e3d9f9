"""Scorecards and alerts.yml as JSON Schemas, for editors: they complete keys and underline a mistake while one types.

They are an aid. What holds between keys (bands that tile, curves that ascend) only the loading tells: its word counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster_project.scorecards.alerts import NEEDS, AlertRules
from dagster_project.scorecards.measures import Measure
from dagster_project.scorecards.schema import Scorecard

Node = dict[str, Any]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_WAYS = ("curve", "steps", "half_life")
_NUMBER_KEY = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"


def scorecard_json_schema(measures: Mapping[str, Measure], meanings: Mapping[str, str]) -> Node:
    """The schema of a file in config/scorecards.

    `measures` are the legal ones. `meanings` says what a key means, by its path with `*` for a name and `[]` for an
    entry of a list (`groups.*.weight`); a key without one has no description.
    """
    schema = _tidied(Scorecard.model_json_schema(by_alias=True))
    parts: dict[str, Node] = schema["$defs"]
    schema["properties"]["bands"]["required"] = list(schema["properties"]["bands"]["propertyNames"]["enum"])
    for part, ways in (("ScoredMeasure", ("curve", "steps", "half_life", "by_account_age")), ("Judgement", _WAYS)):
        rule = parts[part]
        rule["oneOf"] = _one_of(ways)
        rule["properties"]["curve"] |= {"propertyNames": {"pattern": _NUMBER_KEY}, "minProperties": 2}
        rule["properties"]["steps"]["minItems"] = 2
    parts["ScoredMeasure"]["properties"]["by_account_age"]["minProperties"] = 1
    parts["ScoreException"]["oneOf"] = _one_of(("cap", "floor", "band"))
    schema["oneOf"] = _one_of(("groups", "lenses"))
    schema["properties"]["lenses"]["minProperties"] = 1
    parts["When"]["oneOf"] = _one_of(("measure", "lens"))
    parts["When"]["properties"]["measure"] = {"enum": list(measures)}
    parts["Group"]["properties"]["measures"] = {
        "type": "object",
        "properties": {
            name: {"$ref": "#/$defs/ScoredMeasure", "description": f"{one.title} ({one.unit})"}
            for name, one in measures.items()
        },
        "additionalProperties": False,
        "minProperties": 1,
    }
    _describe(schema, schema, "", meanings)
    return {"$schema": _DRAFT, **schema}


def alerts_json_schema(measures: Mapping[str, Measure], meanings: Mapping[str, str]) -> Node:
    """The schema of alerts.yml. `measures` and `meanings` as for a scorecard."""
    schema = _tidied(AlertRules.model_json_schema(by_alias=True))
    parts: dict[str, Node] = schema["$defs"]
    rule = parts["AlertRule"]
    rule["properties"]["measure"] = {"enum": list(measures)}
    rule["allOf"] = [
        {"if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]}, "then": {"required": list(keys)}}
        for kind, keys in NEEDS.items()
    ]
    parts["Channel"]["oneOf"] = [{"required": ["apprise"]}, {"required": ["webhook", "secret"]}]
    _describe(schema, schema, "", meanings)
    return {"$schema": _DRAFT, **schema}


def _one_of(keys: tuple[str, ...]) -> list[Node]:
    return [{"required": [key]} for key in keys]


def _tidied(node: Any) -> Any:
    """Pydantic's schema without what says nothing to a writer: titles made from names, null for a key left out."""
    if isinstance(node, list):
        return [_tidied(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    found: Node = {}
    word: str
    for word, value in node.items():
        key = _BOUNDS.get(word, word)
        if key in ("properties", "$defs"):
            found[key] = {name: _tidied(body) for name, body in value.items()}
        elif key == "patternProperties":
            ((pattern, body),) = value.items()
            found |= {"propertyNames": {"pattern": pattern}, "additionalProperties": _tidied(body)}
        elif not (key in ("title", "anyOf") or (key == "default" and value in (None, []))):
            found[key] = _tidied(value)
    choices = _choices(node)
    if len(choices) == 1:
        return {**choices[0], **found}
    if choices:
        found.pop("minLength", None)  # pydantic's, of the list that the choices have become
        found["anyOf"] = choices
    return found


def _choices(node: Node) -> list[Node]:
    """What `anyOf` offers, without null, and without another `anyOf` inside."""
    found: list[Node] = []
    for choice in node.get("anyOf", []):
        if choice.get("type") != "null":
            tidied = _tidied(choice)
            found += tidied.get("anyOf", [tidied])
    return found


def _describe(schema: Node, node: Node, path: str, meanings: Mapping[str, str]) -> None:
    """Give every key below `node` its meaning. Each of the parts stands in one place only, so it has one path."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    for choice in node.get("anyOf", []):
        _describe(schema, choice, path, meanings)
    if isinstance(node.get("items"), dict):
        _describe(schema, node["items"], f"{path}[]", meanings)
    if isinstance(node.get("additionalProperties"), dict):
        _describe(schema, node["additionalProperties"], f"{path}.*", meanings)
    for name, body in node.get("properties", {}).items():
        below = f"{path}.*" if path == "groups.*.measures" else f"{path}.{name}".lstrip(".")
        if below in meanings:
            body["description"] = meanings[below]
        _describe(schema, body, below, meanings)
