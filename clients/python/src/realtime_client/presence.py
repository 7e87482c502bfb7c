"""The users of a topic: a list that is kept while the client runs.

After a reconnect it changes by the difference, and is never empty in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .client import Realtime
from .errors import RealtimeError
from .hooks import add
from .listeners import Remove
from .machine.values import ConnectionState, Failure

if TYPE_CHECKING:
    from typing_extensions import Self

PAUSE = 1.0
"""Seconds before a refused command is sent again, if the server says no time."""


@dataclass(frozen=True, slots=True)
class PresenceUser:
    """``connections`` of the user when the list was made; a change of this number alone is not reported."""

    user: str
    connections: int
    metadata: Any = None


@dataclass(frozen=True, slots=True)
class PresenceChange:
    """``updated``: users with new metadata."""

    joined: list[PresenceUser]
    left: list[PresenceUser]
    updated: list[PresenceUser]


@dataclass(slots=True)
class _Reading:
    """While the list is read: the list so far, and the frames that arrived meanwhile."""

    users: dict[str, PresenceUser] = field(default_factory=dict)
    version: int = -1
    frames: list[dict[str, Any]] = field(default_factory=list)


Handler = Callable[[PresenceChange, Mapping[str, PresenceUser]], object]


class Presence:
    """``async with Presence(rt, "chat:7") as presence``: watches until ``stop``.

    The token must grant it, or the namespace must allow it. ``users`` is by name, ``count`` their number; ``error`` says why
    the list is kept no more. Made and used in the event loop of ``rt``.
    """

    def __init__(self, rt: Realtime, topic: str) -> None:
        self.topic = topic
        self.count = 0
        self.error: Exception | None = None
        self._rt = rt
        self._users: dict[str, PresenceUser] = {}
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        # Nobody may wait for it.
        self._ready.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._handlers: list[Handler] = []
        self._reading: _Reading | None = None
        self._version = -1
        self._task: asyncio.Task[None] | None = None
        self._removers: list[Remove] = [rt.on_state(self._state), rt.on_frame(self._received)]
        self._state(rt.state)

    @property
    def users(self) -> Mapping[str, PresenceUser]:
        return self._users

    async def ready(self) -> Mapping[str, PresenceUser]:
        """Returns the first whole list. Raises ``RealtimeError`` if the client may not watch the topic, and after ``stop``."""
        await asyncio.shield(self._ready)
        return self._users

    def on_change(self, handler: Handler) -> Remove:
        """A plain function; it gets the change and all users. Returns its own remover."""
        return add(self._handlers, handler)

    def stop(self) -> None:
        """Watches no more. No handler runs afterwards."""
        if not self._removers:
            return
        watches = self._rt.state.phase == "connected" and self.error is None
        self._end(RealtimeError(Failure("stopped", "stop() was called")))
        if watches:
            self._task = self._loop.create_task(self._leave())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._task:
            await asyncio.wait([self._task])

    async def _leave(self) -> None:
        try:
            await self._rt.command({"action": "presence", "topic": self.topic, "subscribe": False, "limit": 1})
        except RealtimeError:
            # The connection has ended, and with it what the server sends.
            pass

    def _end(self, error: Exception) -> None:
        self._interrupt()
        self.error = error
        for remove in self._removers:
            remove()
        self._removers = []
        if not self._ready.done():
            self._ready.set_exception(error)

    def _state(self, state: ConnectionState) -> None:
        if state.phase == "connected":
            self._read()
        else:
            self._interrupt()

    def _interrupt(self) -> None:
        """What a request for an older list returns is dropped."""
        self._reading = None
        if self._task:
            self._task.cancel()
            self._task = None

    def _read(self) -> None:
        self._interrupt()
        self._version = -1
        self._reading = _Reading()
        self._task = self._loop.create_task(self._pages({"subscribe": True}))

    async def _pages(self, more: dict[str, Any]) -> None:
        while True:
            try:
                result = await self._rt.command({"action": "presence", "topic": self.topic, **more})
            except RealtimeError as error:
                if not error.retry:
                    if error.code != "stopped":
                        self._task = None
                        self._end(error)
                    return
                await asyncio.sleep(PAUSE if error.after_ms is None else error.after_ms / 1_000)
                self._version = -1
                self._reading = _Reading()
                more = {"subscribe": True}
                continue
            page = result.get("presence")
            following = self._list(page) if isinstance(page, dict) else None
            if following is None:
                return
            more = {"after": following}

    def _list(self, page: dict[str, Any]) -> str | None:
        """Takes a page of the list, from its beginning in the order of the names. Returns where the next one begins."""
        reading = self._reading = self._reading or _Reading()
        if reading.version < 0:
            reading.version = int(page.get("version", 0))
        reading.users |= {user.user: user for user in _users(page.get("users"))}
        following = page.get("next")
        if isinstance(following, str):
            return following
        before, self._users = self._users, reading.users
        self._reading, self._version, self.count = None, reading.version, int(page.get("count", 0))
        for frame in reading.frames:
            self._apply(frame)
        if not self._ready.done():
            self._ready.set_result(None)
        old, now = before.items(), self._users.items()
        self._report(
            PresenceChange(
                [user for name, user in now if name not in before],
                [user for name, user in old if name not in self._users],
                [user for name, user in now if name in before and before[name].metadata != user.metadata],
            )
        )
        return None

    def _received(self, kind: str, frame: dict[str, Any]) -> None:
        if kind != "presence" or frame.get("topic") != self.topic:
            return
        if "ended" in frame:
            reason = f"the presence of {self.topic} has ended: {frame['ended']}"
            return self._end(RealtimeError(Failure("ended", reason)))
        if "users" in frame:
            # The list as it is now, after changes that were left out.
            self._interrupt()
            following = self._list(frame)
            if following is not None:
                self._task = self._loop.create_task(self._pages({"after": following}))
            return
        if self._reading:
            self._reading.frames.append(frame)
            return
        left = [self._users[name] for name in frame.get("left", []) if name in self._users]
        if self._apply(frame):
            self._report(PresenceChange(_users(frame.get("joined")), left, _users(frame.get("updated"))))

    def _apply(self, frame: dict[str, Any]) -> bool:
        """Versions rise on one connection: what is older than the list is in it."""
        version = int(frame.get("version", 0))
        if version <= self._version:
            return False
        self._version = version
        for user in _users(frame.get("joined")) + _users(frame.get("updated")):
            self._users[user.user] = user
        for name in frame.get("left", []):
            self._users.pop(name, None)
        self.count = int(frame.get("count", len(self._users)))
        return True

    def _report(self, change: PresenceChange) -> None:
        if change.joined or change.left or change.updated:
            self._rt._hooks.run(list(self._handlers), change, self._users)


def _users(value: object) -> list[PresenceUser]:
    users = value if isinstance(value, list) else []
    known = (user for user in users if isinstance(user, dict))
    return [PresenceUser(str(one.get("user")), int(one.get("connections", 1)), one.get("metadata")) for one in known]
