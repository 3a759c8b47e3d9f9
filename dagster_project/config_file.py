"""Reads a YAML file that a person wrote, and says in plain words everything that is wrong with it.

Every problem is one line: `config/pipeline.yml:41: sources.files.folder: is missing`. All problems of a file are told
at once, so that nobody repairs ten mistakes in ten runs. YAML is read the way people expect: `no` is a word, not false;
`06:00` is a time, not 360; a date stays text until the model parses it, so that 2026-13-01 gets a sentence and a line.
"""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dagster_project.config_types import show

KeyPath = tuple[str | int, ...]
Check = Callable[[dict[str, Any]], Iterable[tuple[KeyPath, str]]]
Model = TypeVar("Model", bound=BaseModel)

_MAX_NODES = 100_000  # an alias that repeats an alias grows without end; no honest file comes near this


class ConfigError(Exception):
    """One or more mistakes in what a user configured; `problems` holds one line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True)
class Document:
    """A YAML file as plain data, with the line of every key. `problems` were found while reading (line, text)."""

    shown: str
    data: dict[str, Any]
    lines: dict[KeyPath, int]
    problems: list[tuple[int, str]] = field(default_factory=list)

    def line(self, path: KeyPath) -> int:
        """The line of a key; of the nearest key around it when the key itself is not there."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def problem(self, path: KeyPath, text: str) -> str:
        """One problem as a line of text: where it is, and what is wrong."""
        return f"{self.shown}:{self.line(path)}: {_said(path, text)}"


def shown_path(path: Path) -> str:
    """A path as a person would type it from here: relative to the current folder when it lies inside."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def dotted(path: KeyPath) -> str:
    """`('rules', 0, 'line')` as `rules[0].line`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _said(path: KeyPath, text: str) -> str:
    return f"{dotted(path)}: {text}" if path else text


def suggest(word: object, legal: Iterable[str]) -> str:
    """`did you mean 'x'? legal: x, y`; without the question when nothing is close."""
    names = list(legal)
    close = difflib.get_close_matches(str(word), names, n=1)
    return (f"did you mean '{close[0]}'? " if close else "") + f"legal: {', '.join(names)}"


def read_document(path: Path) -> Document:
    """Read one YAML file. Raises ConfigError when it cannot be read, or is not a mapping in valid YAML."""
    shown = shown_path(path)
    text = _read_text(path, shown)
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigError([_syntax_problem(shown, text, error)]) from None
    except RecursionError:
        raise ConfigError([f"{shown}: is nested too deeply to be read; a [ or {{ may be repeated by mistake"]) from None
    if root is None:
        raise ConfigError([f"{shown}:1: the file is empty; docs/reference/ shows what belongs in it"])
    if not isinstance(root, yaml.MappingNode):
        line, kind = root.start_mark.line + 1, "a list" if isinstance(root, yaml.SequenceNode) else "one value"
        raise ConfigError([f"{shown}:{line}: should be a mapping of keys (`key: value`), is {kind}"])
    builder = _Builder()
    data = builder.build(root, ())
    return Document(shown, data, builder.lines, builder.problems)


def validate(
    document: Document, model: type[Model], checks: Iterable[Check] = (), context: dict[str, Any] | None = None
) -> Model:
    """Turn a document into a model.

    `checks` look at the raw data for what holds between keys; they run even where the model already failed, so that
    one reading tells everything. They must survive data of any shape. Raises ConfigError with every problem.
    """
    found = list(document.problems)
    result: Model | None = None
    try:
        result = model.model_validate(document.data, context=context)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            if detail["type"] == "too_short" and detail["input"]:
                continue  # only because its entries were refused, each with its own sentence
            path, text = _explain(detail, model)
            found.append((document.line(path), _said(path, text)))
    for check in checks:
        found += [(document.line(path), _said(path, text)) for path, text in check(document.data)]
    if found or result is None:
        raise ConfigError([f"{document.shown}:{line}: {text}" for line, text in dict.fromkeys(sorted(found))])
    return result


def mapping(value: object) -> dict[str, Any]:
    """The value if it is a mapping, else an empty one: lets checks walk data of any shape."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


# --- YAML ------------------------------------------------------------------------------------------------------------

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"


class _Loader(_Base):  # type: ignore[misc]
    """YAML's own text rules, but only true/false, null and plain numbers are anything else than text."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}


_NUMBER_STARTS = list("-+.0123456789")
_Loader.add_implicit_resolver(_TAG + "null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(_TAG + "bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(_TAG + "int", re.compile(r"^[-+]?(?:0|[1-9][0-9]{0,300})$"), _NUMBER_STARTS)
_Loader.add_implicit_resolver(
    _TAG + "float",
    re.compile(r"^[-+]?(?:(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(?:inf|Inf|INF|nan|NaN|NAN))$"),
    _NUMBER_STARTS,
)


class _Builder:
    """Turns YAML nodes into plain data, and notes the line of each key on the way."""

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {(): 1}
        self.problems: list[tuple[int, str]] = []
        self._open: set[int] = set()
        self._count = 0

    def _refuse(self, node: yaml.Node, path: KeyPath, text: str) -> None:
        self.problems.append((node.start_mark.line + 1, _said(path, text)))

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        self._count += 1
        if id(node) in self._open or self._count > _MAX_NODES:
            if self._count <= _MAX_NODES + 1:
                self._refuse(node, path, "an alias (*name) repeats itself without end; write the value out")
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                for number, item in enumerate(node.value):
                    self.lines[(*path, number)] = item.start_mark.line + 1
                return [self.build(item, (*path, number)) for number, item in enumerate(node.value)]
            return self._scalar(node, path)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(key_node, path, "a key should be a word or a number, not a list or a mapping")
                continue
            key = key_node.value  # keys stay text: `1: low` recodes the text 1
            here = (*path, key)
            if key in result:
                first = self.lines[here]
                self._refuse(key_node, here, f"stands here twice (first on line {first}); keep one of them")
                continue
            self.lines[here] = key_node.start_mark.line + 1
            result[key] = self.build(value_node, here)
        return result

    def _scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        kind, text = node.tag.removeprefix(_TAG), str(node.value)
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        try:
            if kind == "int":
                return int(text)
            if kind == "float":
                lowered = text.lower()
                return float(lowered.replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            pass
        if kind != "str":
            self._refuse(node, path, f"the tag {node.tag.replace(_TAG, '!!')} is not understood; write a plain value")
        return text


def _read_text(path: Path, shown: str) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError([f"{shown}: there is no such file; check the path"]) from None
    except IsADirectoryError:
        raise ConfigError([f"{shown}: is a folder; name a .yml file in it"]) from None
    except OSError as error:
        raise ConfigError([f"{shown}: cannot be read: {error.strerror or error}"]) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError([f"{shown}:{line}: is not UTF-8 text; save the file as UTF-8"]) from None


_SYNTAX = (
    (r"tab|'\\t'|violates indentation", "a tab; indent with spaces"),
    (r"mapping values are not allowed", "a ':' that cannot stand here; put text that holds ': ' in quotes, and "
                                        "line keys up with their neighbours"),
    (r"quoted scalar", "a quote is opened and not closed"),
    (r"expected ',' or|flow (?:mapping|sequence)", "a { or [ is not closed, or a ',' is missing"),
    (r"could not find expected ':'", "a key without its ':'"),
    (r"undefined alias", "an alias (*name) whose anchor (&name) is not there"),
    (r"expected <block end>|did not find expected|block (?:mapping|collection)",
     "the indentation does not fit the lines above"),
    (r"single document", "a second document (---); keep one document in a file"),
    (r"cannot start any token", "a character that cannot begin a value, such as @, % or `; put the value in quotes"),
)  # fmt: skip


def _syntax_problem(shown: str, text: str, error: yaml.YAMLError) -> str:
    """One sentence for what the YAML reader found."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = f"{getattr(error, 'context', '') or ''} {getattr(error, 'problem', '') or getattr(error, 'reason', error)}"
    if mark is None:
        position = getattr(error, "position", 0)
        line = text[:position].count("\n") + 1 if isinstance(position, int) else 1
        return f"{shown}:{line}: is not valid YAML: holds a character that text files do not have ({said.strip()})"
    lines = text.splitlines()
    number = min(mark.line, max(len(lines) - 1, 0))
    if lines and re.match(r" *\t", lines[number]):
        said = "tab"
    context = getattr(error, "context_mark", None)
    begun = f" (begun on line {context.line + 1})" if context is not None and context.line != mark.line else ""
    plain = next((words for pattern, words in _SYNTAX if re.search(pattern, said)), said.strip())
    return f"{shown}:{number + 1}: is not valid YAML: {plain}{begun}"


# --- pydantic's errors in plain words --------------------------------------------------------------------------------

_SHOULD_BE = {
    "bool": "true or false",
    "string": "text (put it in quotes)",
    "list": "a list",
    "tuple": "a list",
    "dict": "a mapping of keys (`key: value`)",
    "model": "a mapping of keys (`key: value`)",
}
_COMPARED = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def _explain(detail: ErrorDetails, model: type[BaseModel]) -> tuple[KeyPath, str]:
    """Where and what, from one of pydantic's errors."""
    path = tuple(part for part in detail["loc"] if part != "[key]")
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return path, f"unknown key; {suggest(path[-1], _legal_keys(model, path[:-1]))}"
    if kind == "missing":
        return path, "is missing"
    if kind == "literal_error":
        found = re.findall(r"'([^']*)'|\b(\d+)\b", str(context.get("expected", "")))
        legal = [text or number for text, number in found]
        return path, f"{show(value)} is not legal; {suggest(value, legal)}"
    if kind in _COMPARED:
        bound, words = _COMPARED[kind]
        return path, f"should be {words} {context[bound]:g}, is {show(value)}"
    if kind in ("too_short", "too_long"):
        bound = f"at least {context['min_length']}" if kind == "too_short" else f"at most {context['max_length']}"
        return path, f"should have {bound} entries, has {context['actual_length']}"
    wanted = _SHOULD_BE.get(kind.split("_")[0])
    if wanted:
        return path, f"should be {wanted}, is {show(value)}"
    return path, detail["msg"].removeprefix("Value error, ")


def _legal_keys(model: type[BaseModel], path: KeyPath) -> list[str]:
    """The keys that the model at this place has."""
    current: Any = model
    for part in path:
        current = _model_or_container(current)
        if isinstance(current, type) and issubclass(current, BaseModel):
            fields = current.model_fields.items()
            current = next((f.annotation for name, f in fields if part in (name, f.alias)), None)
        else:
            arguments = get_args(current)
            current = arguments[-1] if get_origin(current) is dict else arguments[0] if arguments else None
    current = _model_or_container(current)
    if not (isinstance(current, type) and issubclass(current, BaseModel)):
        return []
    return [f.alias or name for name, f in current.model_fields.items()]


def _model_or_container(annotation: Any) -> Any:
    """What stands inside Optional and Annotated: the first part that can hold keys."""
    while get_origin(annotation) in (Annotated, Union, types.UnionType):
        parts = [part for part in get_args(annotation) if part is not type(None)]
        holders = (p for p in parts if get_origin(p) or (isinstance(p, type) and issubclass(p, BaseModel)))
        annotation = parts[0] if get_origin(annotation) is Annotated else next(holders, parts[0])
    return annotation
