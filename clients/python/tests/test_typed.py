"""Typed topics: what the type checkers refuse, and what the client does with the generated signatures."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_client import server, story

from realtime_client import Message, Realtime, RealtimeError
from realtime_client.payload_check import faults
from typed.contract import topics as generated
from typed.contract.topics_client import TopicOrderAnyNote, typed

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent


def checkers() -> dict[str, list[str]]:
    return {
        "mypy": [str(BIN / "mypy"), "--strict", "--no-incremental", "--explicit-package-bases", "--config-file", "/dev/null"],
        "pyright": [str(BIN / "pyright"), "--pythonpath", sys.executable],
    }


def refused(checker: str, program: str) -> set[int]:
    """The lines of a program that a checker refuses."""
    line = checkers()[checker]
    if not Path(line[0]).exists():
        assert os.environ.get("CI") != "true", f"{checker} is not installed: pip install -r requirements-dev.txt"
        pytest.skip(f"{checker} is not installed: pip install -r requirements-dev.txt")
    source = str(HERE.parent / "src")
    paths = {"MYPYPATH": f"{source}{os.pathsep}{HERE}", "PYTHONPATH": source}
    ran = subprocess.run(
        [*line, f"typed/{program}"], cwd=HERE, env={**os.environ, **paths}, capture_output=True, text=True, timeout=120
    )
    found = re.findall(r"(\w+)\.py:(\d+)(?::\d+)?(?: -)?:? error", ran.stdout)
    assert (ran.returncode == 0) == (not found), ran.stdout + ran.stderr
    assert all(f"{name}.py" == program for name, _ in found), ran.stdout
    return {int(number) for _, number in found}


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_a_program_that_keeps_the_contract_is_accepted(checker: str) -> None:
    assert refused(checker, "right.py") == set()


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_each_misuse_of_a_topic_a_type_or_a_field_is_refused_and_nothing_else(checker: str) -> None:
    lines = (HERE / "typed/wrong.py").read_text("utf-8").splitlines()
    marked = {number for number, line in enumerate(lines, 1) if "# wrong:" in line}
    assert len(marked) == 15 and refused(checker, "wrong.py") == marked


def test_a_topic_is_made_of_its_pattern_and_parts() -> None:
    topics = typed(Realtime("ws://127.0.0.1:1/ws", "token"))
    assert topics.topic("order:*", "123") == "order:123"
    assert topics.topic("chat:**", "room", "7") == "chat:room:7"
    for part in ("", "a:b"):
        with pytest.raises(ValueError, match="part must not be empty"):
            topics.topic("order:*", part)


@story
async def test_a_typed_handler_and_a_typed_publication_are_those_of_the_client() -> None:
    async with server() as own, Realtime(own.url, "token") as client:
        topics = typed(client)
        got: list[str] = []
        topics.on("order:*", "note", lambda message: got.append(message.payload["text"]))
        sub = topics.subscribe(topics.topic("order:*", "1"))
        await sub.ready()
        await own.frame("order:1", "note", {"text": "hi"})
        async for message in sub:
            assert message.type == "note" and message.payload["text"] == "hi"
            break
        assert got == ["hi"]
        await topics.publish(topics.topic("order:*", "1"), "note", {"text": "back"})
        sent = own.commands[-1]
        assert (sent["topic"], sent["type"], sent["payload"]) == ("order:1", "note", {"text": "back"})


@story
async def test_with_a_check_a_payload_that_does_not_fit_has_its_pointer_and_reaches_no_handler() -> None:
    async with server() as own, Realtime(own.url, "token") as client:
        topics = typed(client, check=True)
        order = topics.topic("order:*", "1")
        got: list[Message] = []
        errors: list[Exception] = []

        async def show(message: TopicOrderAnyNote) -> None:
            got.append(message)

        client.on_error(errors.append)
        topics.on(order, "note", show)
        topics.on(order, "note", lambda message: got.append(message))
        await topics.subscribe(order).ready()
        await own.frame("order:1", "note", {"text": 7})
        await own.frame("order:1", "note", {"text": "fits"})
        await client.call("read all before")
        while len(got) < 2:
            await client.call("let the other handler run")
        assert [message.payload for message in got] == [{"text": "fits"}] * 2
        assert [str(error) for error in errors] == ["payload_invalid: /payload/text: must be a text"] * 2

        wrong: generated.OrderUpdated = {"status": "open"}  # type: ignore[typeddict-item]
        with pytest.raises(RealtimeError) as raised:
            await topics.publish(order, "order-updated", wrong)
        assert [(error.path, error.message) for error in raised.value.errors] == [("/payload/total", "is missing")]
        assert not [command for command in own.commands if command["action"] == "publish"]


@pytest.mark.parametrize(
    ("type", "payload", "expected"),
    [
        ("OrderUpdated", {"status": "open", "total": 1}, []),
        ("OrderUpdated", {"status": "open", "total": 1.0, "more": 1}, []),
        ("OrderUpdated", {"status": "lost", "total": True}, ["/payload/status", "/payload/total"]),
        ("OrderUpdated", [], ["/payload"]),
        ("list[Note]", [{"text": "a"}, {"text": None}], ["/payload/1/text"]),
        ("dict[str, int | None]", {"a": 1, "b": None, "c/d": "x"}, ["/payload/c~1d"]),
        ("list[int]", list("a" * 100), [f"/payload/{n}" for n in range(16)]),
        ("Note | None", None, []),
        ("Note | None", {}, ["/payload/text"]),
        ("object", {"anything": []}, []),
        ("list[NoReturn]", [1], ["/payload/0"]),
    ],
)
def test_the_check_says_where_a_payload_does_not_fit(type: str, payload: object, expected: list[str]) -> None:
    names = {**vars(generated), "Own": type}
    assert [fault.path for fault in faults("Own", payload, names)] == expected
