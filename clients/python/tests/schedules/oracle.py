"""What a client may see: of each stream with history a strictly rising part of its log, and the rest is exactly what the
gaps name."""

from __future__ import annotations

from realtime_client.machine.state import State
from realtime_client.machine.values import Gap, Message, Position

from .log import Log


class Oracle:
    def __init__(self, logs: dict[str, Log]) -> None:
        self.logs = logs
        self._cursors: dict[str, int] = {}
        """Publications that are delivered or named by a gap, for each stream that the client follows."""
        self._last: dict[str, int] = {}
        self.subscribed: set[str] = set()
        self.delivered = 0
        self.gaps = 0

    def message(self, message: Message) -> None:
        self.delivered += 1
        n: int = message.payload
        if message.topic is not None:
            assert message.topic in self.subscribed, f"a message of {message.topic} after unsubscribe"
        name = message.stream or f"topic:{message.topic}"
        assert n > self._last.get(name, 0), f"{name}: {n} after {self._last.get(name)}"
        self._last[name] = n
        cursor, log = self._cursors.get(name), self.logs.get(name)
        if log is None or cursor is None:
            return
        assert log.all[cursor] == n, f"{name}: the message behind the position is missing, and no gap names it"
        self._cursors[name] = cursor + 1

    def gap(self, gap: Gap) -> None:
        self.gaps += 1
        log = self.logs.get(gap.stream or "")
        if log is None or gap.stream is None or gap.position is None:
            return
        cursor, following = self._cursors.get(gap.stream), log.index(gap.position)
        if cursor is not None:
            assert following >= cursor, f"{gap.stream}: a gap goes back"
            assert gap.previous, "a gap says where the client stood"
            assert log.index(gap.previous) == cursor, f"{gap.stream}: the position before the gap"
            if gap.reason == "not_resumed" and gap.previous.epoch == gap.position.epoch:
                assert gap.previous.offset < gap.position.offset, f"{gap.stream}: nothing is lost, and a gap says so"
        self._cursors[gap.stream] = following

    def live(self, topic: str, position: Position | None) -> None:
        """A subscription is live: nothing after this position may be missing."""
        log = self.logs.get(f"topic:{topic}")
        if log and position:
            self._cursors[f"topic:{topic}"] = log.index(position)

    def unsubscribed(self, topic: str) -> None:
        self.subscribed.discard(topic)
        self._cursors.pop(f"topic:{topic}", None)

    def positions(self, state: State) -> None:
        """The positions that the client would send now are what was delivered: never ahead of it, never behind."""
        for stream, log in self.logs.items():
            at = state.positions.get(stream)
            topic = stream[6:] if stream.startswith("topic:") else None
            if topic is not None and topic not in self.subscribed:
                continue
            cursor = self._cursors.get(stream)
            if at and cursor is not None:
                assert log.index(at) == cursor, f"{stream}: the position is not what was delivered"
            elif at and topic is None:
                self._cursors[stream] = log.index(at)
            elif not at:
                self._cursors.pop(stream, None)

    def complete(self, streams: list[str]) -> None:
        """Nothing is on its way any more: the client has everything."""
        for stream in streams:
            assert self._cursors.get(stream) == len(self.logs[stream].all), f"{stream}: incomplete in the end"
