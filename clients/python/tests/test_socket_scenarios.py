"""Every scenario file, on the whole client over real sockets."""

from __future__ import annotations

import asyncio

import pytest

from scenario.form import Json, scenarios
from scenario.run import run
from scenario.socket_subject import SocketSubject

FILES = scenarios()


@pytest.mark.parametrize(("file", "scenario"), FILES, ids=[file for file, _ in FILES])
def test_scenario_over_sockets(file: str, scenario: Json) -> None:
    if "sockets" in scenario.get("layers", ["sockets"]):
        asyncio.run(run(file, scenario, lambda clock: SocketSubject.create(scenario, clock)))
