"""Every scenario file, on the machine alone."""

from __future__ import annotations

import asyncio

import pytest

from scenario.clock import VirtualClock
from scenario.form import Json, difference, scenarios
from scenario.machine_subject import MachineSubject
from scenario.run import run
from scenario.subject import Subject

FILES = scenarios()


def test_the_files_are_all_there() -> None:
    assert len(FILES) >= 40


@pytest.mark.parametrize(("file", "scenario"), FILES, ids=[file for file, _ in FILES])
def test_scenario(file: str, scenario: Json) -> None:
    async def make(clock: VirtualClock) -> Subject:
        return MachineSubject(scenario, clock)

    if "machine" in scenario.get("layers", ["machine"]):
        asyncio.run(run(file, scenario, make))


def test_a_pattern_fits_by_the_fields_that_it_names() -> None:
    assert difference({"a": 1}, {"a": 1, "b": 2}) is None
    assert difference({"a": [{"b": {"$any": True}}], "c": {"$absent": True}}, {"a": [{"b": None}]}) is None
    assert difference({"a": {"$min": 1, "$max": 2}}, {"a": 2}) is None
    for pattern, value in [({"a": 1}, {}), ([1], [1, 2]), ({"a": {"$min": 3}}, {"a": 2}), ({"a": {"$absent": True}}, {"a": 1}), ({"a": 1}, {"a": True})]:
        assert difference(pattern, value) is not None
