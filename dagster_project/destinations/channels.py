"""The two ways out: Apprise, which speaks to the services people use, and a signed webhook for programs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import requests

from dagster_project.destinations.alert_book import Message
from dagster_project.destinations.alert_words import words_of
from dagster_project.provider_settings import MissingKeyError, key_of
from dagster_project.scorecards.delivery import Channel

TIMEOUTS = (5.0, 15.0)  # seconds to connect, and for the answer
PATIENCE_SECONDS = 30  # for all that Apprise does about one message


class ChannelError(Exception):
    """A channel did not take a message; the text says why, without its address: that may hold a key."""


def send(channel: Channel, messages: Sequence[Message], environ: Mapping[str, str] | None = None) -> None:
    """Send a bundle as one. Raises ChannelError: no such variable, no answer, or the channel refused."""
    try:
        if channel.apprise is not None:
            _by_apprise(key_of(channel.apprise, environ), messages, channel.apprise.removeprefix("env:"))
        elif channel.webhook is not None and channel.secret is not None:
            _by_webhook(key_of(channel.webhook, environ), key_of(channel.secret, environ), messages, channel.webhook)
    except MissingKeyError as error:
        raise ChannelError(str(error).replace("pipeline.yml names it for a key", "alerts.yml names it")) from None


def _by_apprise(address: str, messages: Sequence[Message], variable: str) -> None:
    import apprise  # its start costs a third of a second; only who delivers pays it

    logging.getLogger("apprise").disabled = True  # it would log what services answer
    asset = apprise.AppriseAsset(app_id="customer-health", async_mode=False, storage_mode="memory")
    service = apprise.Apprise(asset=asset)
    if not service.add(address):
        raise ChannelError(f"what {variable} holds is no address that Apprise knows")
    title, text = words_of(messages)
    if not service.notify(text, title=title, body_format=apprise.NotifyFormat.TEXT, timeout=PATIENCE_SECONDS):
        kind = address.partition("://")[0]
        raise ChannelError(f"the service ({kind}://) did not take it; check the address in {variable}")


def _by_webhook(address: str, secret: str, messages: Sequence[Message], variable: str) -> None:
    """As standard-webhooks asks: the id is the idempotency key; the signature is of id, time and body."""
    where = urlsplit(address)
    if where.scheme != "https" and where.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise ChannelError(f"what {variable.removeprefix('env:')} holds is no https address")
    key, moment = messages[0].bundle, str(int(time.time()))
    body = json.dumps(_content(messages), ensure_ascii=False, separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/json",
        "webhook-id": key,
        "webhook-timestamp": moment,
        "webhook-signature": signature(secret, key, moment, body),
    }
    try:
        with requests.post(
            address, data=body, headers=headers, timeout=TIMEOUTS, allow_redirects=False, stream=True
        ) as answer:
            status = answer.status_code
    except requests.Timeout:
        raise ChannelError("no answer in time") from None
    except requests.RequestException as error:
        raise ChannelError(f"the connection failed ({type(error).__name__})") from None
    if not 200 <= status < 300:
        raise ChannelError(f"answered with status {status}")


def signature(secret: str, key: str, moment: str, body: bytes) -> str:
    """`v1,` and the HMAC-SHA256 of `key.moment.body` in base64; a secret `whsec_...` is base64 of its bytes."""
    raw = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    digest = hmac.new(raw, f"{key}.{moment}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _content(messages: Sequence[Message]) -> dict[str, Any]:
    title, text = words_of(messages)
    told = [
        {"key": one.key, "event": one.event.split()[0], "breach_id": one.breach_id, "account_id": one.account_id,
         "rule": one.rule, "day": one.day.isoformat(), "facts": one.facts}
        for one in messages
    ]  # fmt: skip
    return {"type": "customer_health.alert", "key": messages[0].bundle, "title": title, "text": text, "messages": told}
