"""The calls of the HTTP API, as data: what is sent, and how its answer is read. No I/O.

The functions here are the methods of `Backend` and `SyncBackend`. Requests and responses are the typed dicts of
``realtime_client.models``, generated from the server's OpenAPI document; a field that a later server adds is there too.
"""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, Union, cast
from urllib.parse import quote, urlencode

from ..machine.values import Position
from ..models import (
    Audience,
    ConnectionList,
    Disconnected,
    Explanation,
    HistoryPage,
    PresencePage,
    Problem,
    PublishRequest,
    Receipt,
    UserTopicChange,
)
from .errors import BackendError, error_of

T = TypeVar("T")
M = TypeVar("M", bound=Callable[..., object])


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, and ``read``, which makes its result from the JSON object of the answer."""

    method: str
    path: str
    read: Callable[[dict[str, Any]], T]
    body: object = None
    repeat: bool = True
    """Whether the request may be sent again if its outcome is unknown."""


def publish(
    to: Audience,
    type: str,
    payload: Any,
    *,
    idempotency_key: str | None = None,
    except_client: str | None = None,
    timestamp: str | None = None,
    history: bool | None = None,
) -> Call[Receipt]:
    """Publishes once, however often the request must be repeated: each repetition has the same idempotency key.

    ``to`` is like ``{"topic": "order:123"}``, ``{"user": "alice"}``, ``"all"`` or a list of them. ``idempotency_key``: give
    your own (1 to 128 characters) if the process may be restarted and publish the same again. ``except_client`` does not
    receive it. ``timestamp`` is RFC 3339, of now by default. ``history=False`` keeps it out of the history.

    Raises `PayloadInvalid` with the pointer of each fault if the payload does not fit its schema.
    """
    rest = {"except_client": except_client, "timestamp": timestamp, "history": history}
    body = {"to": to, "type": type, "payload": payload, "idempotency_key": idempotency_key or str(uuid.uuid4())}
    return Call("POST", "/publish", lambda answer: cast(Receipt, answer), body | _given(rest))


def batch(publications: Sequence[PublishRequest]) -> Call[list[Union[Receipt, BackendError]]]:
    """Publishes 1 to 1,000 messages, in order. Returns for each its receipt, or its error: the others are published.

    Each message has an idempotency key, its own or a new one, so that the whole batch is repeated safely.
    """
    keyed = [{**one, "idempotency_key": one.get("idempotency_key") or str(uuid.uuid4())} for one in publications]

    def read(answer: dict[str, Any]) -> list[Union[Receipt, BackendError]]:
        return [cast(Receipt, one) if "id" in one else error_of(cast(Problem, one)) for one in answer["results"]]

    return Call("POST", "/publish/batch", read, {"publications": keyed})


def history(
    stream: str, *, since: Position | None = None, limit: int | None = None, reverse: bool | None = None
) -> Call[HistoryPage]:
    """A page of ``topic:order:123``, ``user:alice``, ``role:admin`` or ``all``; ``limit=0``: the position alone."""
    kind, _, name = stream.partition(":")
    folder = {"topic": "topics", "user": "users", "role": "roles"}.get(kind)
    if stream != "all" and (folder is None or not name):
        raise ValueError("stream: must be topic:TOPIC, user:USER, role:ROLE or all")
    path = "/all/history" if folder is None else f"/{folder}/{_part(name)}/history"
    at = {"epoch": since.epoch, "offset": since.offset} if since else {}
    query = _query({**at, "limit": limit, "reverse": reverse})
    return Call("GET", path + query, lambda answer: cast(HistoryPage, answer))


def presence(
    topic: str, *, names: bool | None = None, limit: int | None = None, after: str | None = None
) -> Call[PresencePage]:
    """The users of a topic, by page: ``after`` is the ``next`` of the page before. ``names=False``: their number alone."""
    query = _query({"names": names, "limit": limit, "after": after})
    return Call("GET", f"/topics/{_part(topic)}/presence{query}", lambda answer: cast(PresencePage, answer))


def connections(user: str) -> Call[ConnectionList]:
    """A user's connections to this node."""
    return Call("GET", f"/users/{_part(user)}/connections", lambda answer: cast(ConnectionList, answer))


def disconnect(
    *,
    connection: str | None = None,
    user: str | None = None,
    code: int | None = None,
    reason: str | None = None,
    block_for: str | None = None,
) -> Call[Disconnected]:
    """Closes one connection, or all of a user. ``block_for`` (``"10m"``) refuses the client for that time.

    It is sent once, over a new connection to the server: if its outcome is unknown, `Unavailable` is raised.
    """
    if (connection is None) == (user is None):
        raise ValueError("connection, user: give one of them")
    path = f"/users/{_part(user)}/connections" if user is not None else f"/connections/{_part(connection or '')}"
    body = _given({"code": code, "reason": reason, "block_for": block_for})
    return Call("DELETE", path, lambda answer: cast(Disconnected, answer), body, repeat=False)


def give_topic(user: str, topic: str) -> Call[UserTopicChange]:
    """Subscribes every connection of a user to a topic, those of now and those that are opened later."""
    return Call("PUT", _user_topic(user, topic), lambda answer: cast(UserTopicChange, answer))


def take_topic(user: str, topic: str) -> Call[UserTopicChange]:
    """Takes a topic away from a user."""
    return Call("DELETE", _user_topic(user, topic), lambda answer: cast(UserTopicChange, answer))


def user_topics(user: str) -> Call[list[str]]:
    """The topics that were given to a user, sorted."""
    return Call("GET", f"/users/{_part(user)}/topics", lambda answer: cast("list[str]", answer["topics"]))


def explain(
    user: str, *, message: str | None = None, to: Audience | None = None, except_client: str | None = None
) -> Call[Explanation]:
    """Why a user received a message, or did not; or whether one ``to`` these recipients would reach the user."""
    body = _given({"user": user, "message": message, "to": to, "except_client": except_client})
    return Call("POST", "/explain", lambda answer: cast(Explanation, answer), body)


def with_self(method: M, call: Callable[..., object]) -> M:
    """The method of a class that makes and sends ``call``: ``help`` and ``inspect.signature`` show its parameters."""
    signature = inspect.signature(call)
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    vars(method).pop("__wrapped__", None)
    result = str(signature.return_annotation).removeprefix("Call[").removesuffix("]")
    parameters = [own, *signature.parameters.values()]
    vars(method)["__signature__"] = signature.replace(parameters=parameters, return_annotation=result)
    return method


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _query(fields: dict[str, Any]) -> str:
    text = urlencode({name: str(value).lower() if isinstance(value, bool) else value for name, value in _given(fields).items()})
    return f"?{text}" if text else ""


def _part(name: str) -> str:
    return quote(name, safe="")


def _user_topic(user: str, topic: str) -> str:
    return f"/users/{_part(user)}/topics/{_part(topic)}"
