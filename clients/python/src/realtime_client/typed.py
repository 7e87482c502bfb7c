"""The client with the topics of a message contract: what ``topics_client.py`` uses, which `realtime-server schemas` writes.

Python's types can't compare the text of a topic with a pattern. So a topic is made from its pattern and parts,
``topics.topic("order:*", "123")``, and its type remembers the pattern.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, Union

from . import payload_check
from .client import Realtime
from .errors import RealtimeError
from .listeners import Remove, matches
from .machine.values import Failure, Gap, Message, Position, SubscriptionStatus
from .results import Published
from .subscription import GetState, Ready

K = TypeVar("K", bound=str)
"""A message type, as a literal; or a pattern."""
P = TypeVar("P")
M = TypeVar("M", covariant=True)

__all__ = ["Contract", "Handler", "Remove", "Topic", "TypedMessage", "TypedSubscription", "Typed"]


class Topic(str, Generic[K]):
    """A topic of the pattern ``K``. It is a text."""


if TYPE_CHECKING:

    class TypedMessage(Message, Generic[K, P]):
        """A `Message` whose type and payload are known. At run time it is a plain `Message`."""

        type: K
        payload: P

else:

    class TypedMessage(Message):
        __class_getitem__ = classmethod(lambda cls, _: cls)


Handler = Callable[[M], Union[object, Awaitable[object]]]
"""Plain or ``async``."""


class TypedSubscription(Protocol[M]):
    """A `Subscription` whose messages have known types."""

    topic: str
    state: SubscriptionStatus

    async def ready(self) -> Ready: ...
    def on_state(self, handler: Callable[[SubscriptionStatus], object]) -> Remove: ...
    def unsubscribe(self) -> None: ...
    def events(self) -> AsyncIterator[Union[M, Gap]]: ...
    def __aiter__(self) -> AsyncIterator[M]: ...
    async def __aenter__(self) -> object: ...
    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None: ...


Contract = Mapping[str, Mapping[str, str]]
"""The payload types by pattern and message type, in the order of the contract: the first pattern that matches decides."""


class Typed:
    """``contract`` and ``names`` (of the generated types): each payload is checked too; see `payload_check`."""

    def __init__(self, client: Realtime, contract: Contract, names: Mapping[str, object] | None) -> None:
        self._client = client
        self._contract = contract
        self._names = names

    def topic(self, pattern: str, *parts: str) -> Topic[str]:
        """Raises ``ValueError`` if a part is empty or has a colon, or if the pattern has another number of parts."""
        if not all(part and ":" not in part for part in parts):
            raise ValueError(f"{pattern}: a part must not be empty, and has no `:`")
        left, made = list(parts), []
        for wanted in pattern.split(":"):
            if wanted == "**":
                made += left or [""]
                left = []
            else:
                made.append((left.pop(0) if left else "") if wanted in ("*", "{sub}") else wanted)
        if left or "" in made:
            raise ValueError(f"{pattern}: give one part for each `*`, and at least one for `**`")
        return Topic(":".join(made))

    def on(self, pattern: str, type: str, handler: Handler[Any]) -> Remove:
        return self._client.on(_listened(pattern), self._checked(handler), type=type)

    def messages(self, pattern: str, type: str) -> AsyncIterator[Message]:
        return self._client.messages(_listened(pattern), type=type)

    def subscribe(
        self,
        topic: Topic[Any],
        handler: Handler[Any] | None = None,
        *,
        since: Position | None = None,
        get_state: GetState | None = None,
    ) -> Any:
        own = self._checked(handler) if handler else None
        return self._client.subscribe(str(topic), own, since=since, get_state=get_state)

    async def publish(
        self,
        topic: Topic[Any],
        type: str,
        payload: object,
        *,
        idempotency_key: str | None = None,
        echo: bool | None = None,
    ) -> Published:
        self._check(topic, type, payload)
        return await self._client.publish(str(topic), type, payload, idempotency_key=idempotency_key, echo=echo)

    def _checked(self, handler: Handler[Any]) -> Handler[Any]:
        if self._names is None:
            return handler
        if inspect.iscoroutinefunction(handler):

            async def waiting(message: Message) -> object:
                self._check(message.topic or f"@{message.stream or ''}", message.type, message.payload)
                return await handler(message)

            return waiting

        def plain(message: Message) -> object:
            self._check(message.topic or f"@{message.stream or ''}", message.type, message.payload)
            return handler(message)

        return plain

    def _check(self, address: str, type: str, payload: object) -> None:
        """Raises ``RealtimeError`` with the code ``payload_invalid`` and the JSON pointer of each fault."""
        if self._names is None:
            return
        types = next((own for pattern, own in self._contract.items() if matches(_listened(pattern), address)), {})
        if type in types:
            errors = tuple(payload_check.faults(types[type], payload, self._names))
            if errors:
                message = f"{errors[0].path}: {errors[0].message}"
                raise RealtimeError(Failure("payload_invalid", message, errors=errors))


def _listened(pattern: str) -> str:
    return ":".join("*" if part == "{sub}" else part for part in pattern.split(":"))
