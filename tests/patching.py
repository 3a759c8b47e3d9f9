"""A patch that one module sees and no other: stories run in the background of the same process."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


def patch_within(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, **changed: Any) -> None:
    """Give `module`, for what it calls `name` (os, duckdb, …), a copy with other functions."""
    monkeypatch.setattr(module, name, SimpleNamespace(**{**vars(getattr(module, name)), **changed}))
