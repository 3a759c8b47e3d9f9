"""Reads every file of config/scorecards/ and checks the files against each other."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path

from dagster_project.config_file import ConfigError, Document, read_document, shown_path, suggest, validate
from dagster_project.scorecards.checks import scorecard_check
from dagster_project.scorecards.measures import known_measures
from dagster_project.scorecards.schema import Scorecard


@dataclass(frozen=True)
class LoadedScorecard:
    """A scorecard version and the file it stands in.

    `position`: of several that match an account the lowest takes it. `effective_to`: first day on which a newer version
    has taken over; None while none has.
    """

    spec: Scorecard
    document: Document
    position: int = 0
    effective_to: date | None = None

    @property
    def hash(self) -> str:
        """The content hash that every score row carries."""
        return self.spec.content_hash

    @property
    def label(self) -> str:
        """Id and version, as people say it."""
        return f"{self.spec.scorecard} {self.spec.version}"


def load_scorecards(folder: Path, measures: Collection[str] | None = None) -> tuple[LoadedScorecard, ...]:
    """Every scorecard of the folder, in the order in which they are tried.

    `measures` are the legal names; those of the dbt project where left out. Raises ConfigError with the problems of
    all files; what holds between files is checked once each file is right.
    """
    names = known_measures() if measures is None else measures
    paths = sorted(path for path in folder.glob("*") if path.suffix in (".yml", ".yaml"))
    if not paths:
        raise ConfigError([f"{shown_path(folder)}: holds no scorecard; put at least one .yml file there"])
    loaded, problems = [], []
    for path in paths:
        try:
            loaded.append(read_scorecard(path, names))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return arranged(loaded)


def read_scorecard(path: Path, measures: Collection[str] | None = None) -> LoadedScorecard:
    """One file by itself. Raises ConfigError with every problem in it."""
    names = known_measures() if measures is None else measures
    document = read_document(path)
    return LoadedScorecard(validate(document, Scorecard, [scorecard_check(names)]), document)


def arranged(loaded: list[LoadedScorecard]) -> tuple[LoadedScorecard, ...]:
    """The scorecards in the order in which they are tried.

    Raises ConfigError with the problems that lie between them.
    """
    problems = [
        *_repeated_versions(loaded), *_wrong_lenses(loaded), *_wrong_parts(loaded), *_unclear_dates(loaded),
    ]  # fmt: skip
    if problems:
        raise ConfigError(problems)
    return tuple(
        LoadedScorecard(one.spec, one.document, place, _superseded_on(one, loaded))
        for place, one in enumerate(_in_order(loaded), start=1)
    )


def _superseded_on(one: LoadedScorecard, loaded: list[LoadedScorecard]) -> date | None:
    later = [
        other.spec.begins
        for other in loaded
        if (other.spec.scorecard, other.spec.status) == (one.spec.scorecard, one.spec.status)
        and other.spec.begins > one.spec.begins
    ]
    return min(later, default=None)


def _in_order(loaded: list[LoadedScorecard]) -> list[LoadedScorecard]:
    """By lens; within it conditional ones before the default, by `order`, then by file name.

    Of one scorecard's versions the newest comes first: among those in force on a day it is the one that counts.
    """
    first_file: dict[str, str] = {}
    for one in loaded:
        first_file.setdefault(one.spec.scorecard, one.document.shown)
    newest_first = sorted(loaded, key=lambda one: one.spec.begins, reverse=True)
    return sorted(
        newest_first,
        key=lambda one: (
            one.spec.lens,
            one.spec.applies_to.is_default,
            one.spec.order,
            first_file[one.spec.scorecard],
        ),
    )


def _repeated_versions(loaded: list[LoadedScorecard]) -> Iterator[str]:
    first: dict[str, LoadedScorecard] = {}
    for one in loaded:
        other = first.setdefault(one.label, one)
        if other is one:
            continue
        where = f"{other.document.shown}:{other.document.line(('version',))}"
        if other.hash == one.hash:
            yield one.document.problem(("version",), f"{one.label} stands in {where} already; keep one of the files")
        else:
            yield one.document.problem(
                ("version",), f"{one.label} is also in {where}, with other content; give this one a new version label"
            )


def _wrong_lenses(loaded: list[LoadedScorecard]) -> Iterator[str]:
    lens_of: dict[str, LoadedScorecard] = {}
    for one in loaded:
        other = lens_of.setdefault(one.spec.scorecard, one)
        if other.spec.lens != one.spec.lens:
            yield one.document.problem(
                ("lens",),
                f"{one.spec.scorecard} is in the lens {other.spec.lens} in {other.document.shown}; "
                "keep all versions of a scorecard in one lens",
            )
    by_lens = sorted(loaded, key=lambda one: one.spec.lens)
    for lens, members in groupby(by_lens, key=lambda one: one.spec.lens):
        inside = list(members)
        defaults = [one for one in inside if one.spec.applies_to.is_default and one.spec.status == "active"]
        if not defaults:
            yield inside[0].document.problem(
                ("applies_to",),
                f"the lens {lens} has no active scorecard with `applies_to: default`, so accounts that match no other "
                "one would have no score; make one of them the default",
            )
        elif all(one.spec.effective_from for one in defaults):
            oldest = min(defaults, key=lambda one: one.spec.begins)
            yield oldest.document.problem(
                ("effective_from",),
                f"before {oldest.spec.effective_from} the lens {lens} has no default; leave effective_from out of its "
                "oldest version",
            )
        for one in defaults:
            if one.spec.scorecard != defaults[0].spec.scorecard:
                yield one.document.problem(
                    ("applies_to",),
                    f"the lens {lens} has a second default, {one.spec.scorecard}; the first is "
                    f"{defaults[0].spec.scorecard} in {defaults[0].document.shown}. Give one of them conditions, "
                    "or a lens of its own",
                )


def _wrong_parts(loaded: list[LoadedScorecard]) -> Iterator[str]:
    """A score made of lenses rests on lenses that exist and are made of measures."""
    lenses = {one.spec.lens for one in loaded}
    made_of_lenses = {one.spec.lens: one for one in loaded if one.spec.lenses}
    for one in loaded:
        for lens in one.spec.lenses or {}:
            if lens not in lenses:
                legal = suggest(lens, sorted(lenses - made_of_lenses.keys()))
                yield one.document.problem(("lenses", lens), f"no scorecard has this lens; {legal}")
            elif lens in made_of_lenses:
                other = made_of_lenses[lens]
                yield one.document.problem(
                    ("lenses", lens),
                    f"is made of lenses itself ({other.label} in {other.document.shown}); name those instead",
                )


def _unclear_dates(loaded: list[LoadedScorecard]) -> Iterator[str]:
    first: dict[tuple[str, str, object], LoadedScorecard] = {}
    for one in loaded:
        key = (one.spec.scorecard, one.spec.status, one.spec.effective_from)
        other = first.setdefault(key, one)
        if other is not one and other.label != one.label:
            since = f"from {one.spec.effective_from} on" if one.spec.effective_from else "without effective_from"
            yield one.document.problem(
                ("version",),
                f"{one.label} and {other.label} ({other.document.shown}) are both {one.spec.status} {since}; give the "
                "newer one an effective_from of its own, or the status candidate",
            )
