"""The `delivery` part of config/alerts.yml: which channels there are, and who is told what through which."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from dagster_project.config_file import KeyPath, mapping, sequence, suggest
from dagster_project.config_types import Name, Strict, Text, Whole, refuse, show
from dagster_project.provider_settings import Secret
from dagster_project.scorecards.schema import Point, Texts

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
Found = Iterator[tuple[KeyPath, str]]


def _link(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"https?://[^\s{}]+(\{account_id\}[^\s{}]*)?", value):
        raise refuse(f"should be an address such as https://health.example/{{account_id}}; is {show(value)}")
    return value


class Amount(Strict):
    """A range of ARR: `from` included, `to` not."""

    from_: Annotated[Point, Field(ge=0)] | None = Field(default=None, alias="from")
    to: Annotated[Point, Field(gt=0)] | None = None


class Accounts(Strict):
    """Which accounts a rule or a route is for: all conditions must hold; of a list, any value."""

    segment: Texts | None = None
    plan: Texts | None = None
    lifecycle_stage: Texts | None = None
    region: Texts | None = None
    owner: Texts | None = None
    arr: Amount | None = None

    @property
    def texts(self) -> dict[str, tuple[str, ...]]:
        """The conditions on texts, by field."""
        fields = ("segment", "plan", "lifecycle_stage", "region", "owner")
        return {name: getattr(self, name) for name in fields if getattr(self, name) is not None}


class Channel(Strict):
    """Where messages go; one of the two.

    `apprise` names the variable with an address as Apprise writes them (Slack, Teams, e-mail and many more); `webhook`
    the one with an https address that gets JSON, signed with the `secret` (standard-webhooks).
    """

    apprise: Secret | None = None
    webhook: Secret | None = None
    secret: Secret | None = None


class Route(Strict):
    """Messages of these severities about these accounts go to these channels.

    With `digest` the messages that a run has for an owner become one.
    """

    to: Annotated[tuple[Name, ...], Field(min_length=1)]
    severity: Annotated[tuple[Severity, ...], Field(min_length=1)] | None = None
    accounts: Accounts = Accounts()
    digest: bool = False

    @property
    def is_default(self) -> bool:
        """True where it asks nothing."""
        return self.severity is None and self.accounts == Accounts()


class Delivery(Strict):
    """How people hear of breaches: for each message the first route that fits, in written order.

    Nothing is sent unless `enabled` is true. `data_owner` is the channel for what is wrong with the pipeline and not
    with a customer. `link` is where an account's page can be opened.
    """

    enabled: bool = False
    channels: dict[Name, Channel] = Field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    data_owner: Name | None = None
    link: Annotated[str, BeforeValidator(_link)] | None = None
    escalate_after_days: Annotated[Whole, Field(ge=1, le=366)] | None = None
    currency: Text | None = None


def check_delivery(data: dict[str, Any]) -> Found:
    """What holds between the keys: channels that routes name are there, a default route is the last, each has a way."""
    content = mapping(data.get("delivery"))
    channels = mapping(content.get("channels"))
    for name, channel in channels.items():
        yield from _check_channel(mapping(channel), ("delivery", "channels", name))
    routes = [mapping(route) for route in sequence(content.get("routes"))]
    for number, route in enumerate(routes):
        path: KeyPath = ("delivery", "routes", number)
        for name in sequence(route.get("to")):
            if isinstance(name, str) and name not in channels:
                yield (*path, "to"), f"{show(name)} is no channel; {suggest(name, sorted(channels))}"
        if not {"severity", "accounts"} & route.keys() and number < len(routes) - 1:
            yield path, "takes every message, so the routes below it are never asked; put it last"
    owner = content.get("data_owner")
    if isinstance(owner, str) and owner not in channels:
        yield ("delivery", "data_owner"), f"{show(owner)} is no channel; {suggest(owner, sorted(channels))}"
    if content.get("enabled") is True:
        if owner is None:
            yield ("delivery",), "'data_owner' is missing: the channel that hears when the pipeline itself is unwell"
        if not routes or {"severity", "accounts"} & routes[-1].keys():
            yield ("delivery", "routes"), "the last route should ask nothing, as in `{to: [channel]}`: the default"


def _check_channel(channel: dict[str, Any], path: KeyPath) -> Found:
    given = [name for name in ("apprise", "webhook") if channel.get(name) is not None]
    if len(given) != 1:
        yield path, "needs one of apprise and webhook, as in `apprise: env:SLACK_URL`"
    if "webhook" in given and channel.get("secret") is None:
        yield path, "'secret' is missing: the variable with the secret that signs what a webhook gets"
    if "webhook" not in given and channel.get("secret") is not None:
        yield (*path, "secret"), "is for a webhook; leave it out"
