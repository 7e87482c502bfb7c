"""The users of a topic, as an application sees them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from test_client import server, story

from realtime_client import Realtime, RealtimeError
from realtime_client.presence import Presence, PresenceChange


def user(name: str, **rest: Any) -> dict[str, Any]:
    return {"user": name, "connections": 1, **rest}


def page(version: int, count: int, *users: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"topic": "t", "version": version, "count": count, "users": list(users), **rest}


def change(version: int, count: int, **rest: Any) -> dict[str, Any]:
    return {"topic": "t", "version": version, "count": count, **rest}


class Seen(list[tuple[list[str], list[str], list[str]]]):
    """The changes, by the names of their users."""

    def note(self, change: PresenceChange, _: object) -> None:
        self.append(tuple([one.user for one in part] for part in (change.joined, change.left, change.updated)))  # type: ignore[arg-type]


@story
async def test_s31_who_joined_before_the_list_is_on_it_tabs_do_not_leave_and_a_reconnect_is_a_difference() -> None:
    async with server() as own, Realtime(own.url, "token") as client:
        seen = Seen()
        early = change(2, 2, joined=[user("ann")])
        own.presence = [page(1, 1, user("bob"), before=[early])]
        async with Presence(client, "t") as presence:
            presence.on_change(seen.note)
            assert set(await presence.ready()) == {"ann", "bob"} and presence.count == 2
            # Two of ann's three tabs close: the server reports nobody as left.
            await own.control("presence", change(3, 2, updated=[user("bob", metadata={"mood": "away"})]))
            await own.control("presence", change(2, 1, left=["ann"]))
            await client.call("read all before")
            assert set(presence.users) == {"ann", "bob"} and presence.users["bob"].metadata == {"mood": "away"}

            empty: list[int] = []
            presence.on_change(lambda _, users: empty.append(len(users)) if len(users) < 2 else None)
            own.presence = [page(7, 3, user("ann"), next="ann"), page(7, 3, user("cid"), user("dee"))]
            await own.connections[-1].close(1012)
            while "dee" not in presence.users:
                await asyncio.sleep(0.01)
                assert len(presence.users) >= 2, "it is never empty in between"
            assert seen == [(["bob", "ann"], [], []), ([], [], ["bob"]), (["cid", "dee"], ["bob"], [])] and not empty
        assert own.commands[-1]["subscribe"] is False


@story
async def test_s40_names_of_the_language_are_ordinary_users() -> None:
    async with server() as own, Realtime(own.url, "token") as client:
        own.presence = [page(1, 2, user("__class__"), user("__dict__"))]
        async with Presence(client, "t") as presence:
            assert set(await presence.ready()) == {"__class__", "__dict__"}
            await own.control("presence", change(2, 1, left=["__class__"]))
            await client.call("read all before")
            assert set(presence.users) == {"__dict__"} and presence.count == 1


@story
async def test_a_right_that_is_lost_ends_the_list_with_the_reason() -> None:
    async with server() as own, Realtime(own.url, "token") as client:
        own.presence = [page(1, 1, user("ann"))]
        async with Presence(client, "t") as presence:
            await presence.ready()
            await own.control("presence", {"topic": "t", "ended": "revoked"})
            await client.call("read all before")
            assert "revoked" in str(presence.error)
        other = Presence(client, "t")
        other.stop()
        with pytest.raises(RealtimeError, match="stopped"):
            await other.ready()
