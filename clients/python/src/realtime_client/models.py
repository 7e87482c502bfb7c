"""The bodies of the HTTP API. Generated from docs/openapi.json by scripts/models.py: do not edit."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

ClientId: TypeAlias = str
"""
A name that a tab or device chooses for itself, the same after a reconnect: 1 to 64 characters, never shown to others. Control and invisible characters are refused.
"""


ConnectionId: TypeAlias = str
"""
One connection, from its `welcome` to its close.
"""


ErrorCode: TypeAlias = str
"""
Why a command or a request was refused. The connection stays open. The HTTP API has the same codes. Others may be added; accept them. Known: `bad_request`: The form is invalid. `unknown_action`: Unknown action. `unauthorized`: No token or key, or one that is not accepted. `token_expired`: The token has expired; get a new one. `forbidden`: Authenticated, but not allowed. `not_found`: Not found. `conflict`: In conflict with the current state. `position_expired`: The position is older than the kept history. `too_large`: Larger than the named limit. `payload_invalid`: A field has an invalid value. `rate_limited`: Too many requests in a short time; try again after `after_ms`. `limit_exceeded`: The named limit is reached. `internal`: A fault of the server. `unavailable`: Something that the server needs is unavailable now.
"""


ExplainReason: TypeAlias = str
"""
Why a connection receives a message, or does not. Others may be added; accept them. Known: `queued`: It waits in the queue of the connection, whose client reads slowly. `written`: It was queued and waits no more: it was written to the socket, unless the client was sent a `gap` for it. `dropped`: The queue of the slow client was full and dropped messages of the stream, probably this one too; the client will be sent a `gap`. `catching_up`: The connection reads the stream from its history and has not come to the message, or stands still until `resume`. `would_receive`: The connection would receive the message. `no_connection`: The user has no connection to this node. `connected_later`: The connection was opened after the message was published. `not_a_recipient`: The message goes to other users, roles or connections. `not_subscribed`: The connection is not subscribed to the topic. `subscribed_later`: The connection was subscribed to the topic after the message was published. `origin_left_out`: The message leaves out this client.
"""


class FieldError(TypedDict):
    """
    One refused field, as in the `errors` of an `error` frame and of an HTTP problem.
    """

    message: str
    """
    What is wrong, and the valid values.
    """
    path: str
    """
    The field, as a JSON pointer (RFC 6901): `/topic`, `/publications/3/to`. Empty for the whole document.
    """


GapReason: TypeAlias = str
"""
Why a client can no longer receive messages of a stream. Others may be added; accept them. Known: `no_history`: The stream keeps no history, so messages after the client's position can't be sent. `slow_consumer`: The client read too slowly, and its queue dropped messages. `retention`: The messages are older than what the stream's history keeps. `epoch`: The history was lost or started again, so the client's position belongs to another one. `position_forgotten`: The stream was quiet for so long that its position was removed. `log_went_back`: The client's position is beyond the end of the history: the newest messages were lost. `store_rolled_back`: The server's storage lost messages that it had stored, such as in a power failure. `hold_expired`: No `resume` was received within `hold_ms`. `not_granted`: The client may not read the stream's past.
"""


MessageId: TypeAlias = str
"""
One publication, the same for all its recipients.
"""


MessageType: TypeAlias = str
"""
The type of an application's message: 1 to 255 characters, none of the protocol's own types, not beginning with `rt.`. Control and invisible characters are refused.
"""


NodeId: TypeAlias = str
"""
One running node.
"""


Origin: TypeAlias = Literal['client', 'server', 'authorizer']
"""
The origin of a subscription. Those of a client and of the authorizer are checked again when its token changes; the
server's stay.
"""


class Problem(TypedDict):
    """
    The reason of a refused request (RFC 9457, `application/problem+json`).
    """

    after_ms: NotRequired[int]
    """
    Number of milliseconds to wait before another attempt.
    """
    code: ErrorCode
    """
    The error code, the same as on the wire.
    """
    detail: str
    """
    What is wrong, and what to do about it.
    """
    errors: NotRequired[list[FieldError]]
    """
    The fields that were refused.
    """
    retry: bool
    """
    Whether the same request may succeed later.
    """
    status: int
    """
    The HTTP status.
    """
    title: str
    """
    The kind of problem, for a person.
    """
    type: str
    """
    A URI that names the kind of problem: `urn:realtime:error:` and the code.
    """


RevocationId: TypeAlias = str
"""
One revocation.
"""


Role: TypeAlias = str
"""
A role of a user, from the token: 1 to 255 characters. Control and invisible characters are refused.
"""


ToAll: TypeAlias = Literal['all']
"""
Every connection.
"""


class ToRole(TypedDict, closed=True):
    """
    Every connection whose token gives a role.
    """

    role: Role


class ToConnection(TypedDict, closed=True):
    """
    One connection.
    """

    connection: ConnectionId


Stream: TypeAlias = str
"""
A sequence of messages: `topic:TOPIC`, `role:ROLE`, `user` (the client's own) or `all`.
"""


StreamPattern: TypeAlias = str
"""
The streams that it names: `topic:PATTERN`, `role:ROLE`, `role:*`, `user` (of any user) or `all`.
"""


class StreamPosition(TypedDict, closed=True):
    """
    A position in a stream. Offsets increase within an epoch, not always by one; a new epoch means that the history was lost.
    """

    epoch: str
    """
    The name of the epoch.
    """
    offset: int
    """
    The offset of a message in that epoch, from 1; 0 is before the first.
    """


class SubscriptionChange(TypedDict):
    """
    Whether a request changed a subscription.
    """

    changed: bool
    """
    False if the subscription was in the requested state already.
    """


TimeSpan: TypeAlias = str
"""
A time span with units: `250ms`, `25s`, `10m`, `1h 30m`.
"""


Timestamp: TypeAlias = str
"""
RFC 3339; the server writes UTC with milliseconds.
"""


class TokenInfo(TypedDict):
    """
    What a token says of itself, to recognize it when it is revoked (RFC 7519 section 4.1).
    """

    exp: NotRequired[int]
    """
    Seconds since 1970 at which it expires.
    """
    iat: NotRequired[int]
    """
    Seconds since 1970 at which it was issued.
    """
    jti: NotRequired[str]
    """
    Its own id.
    """


Topic: TypeAlias = str
"""
A topic: 1 to 255 characters in segments joined by `:`, such as `order:123`. Compared character by character: no case folding, no normalization. White space is refused, and so are `*`, `{` and `}`, which belong to patterns. Control and invisible characters are refused.
"""


class TopicHistory(TypedDict):
    """
    The history of a topic: its last position, and what is kept.
    """

    bytes: int
    """
    Bytes that they take.
    """
    epoch: str
    """
    The name of the epoch.
    """
    messages: int
    """
    Number of messages that are kept.
    """
    offset: int
    """
    The offset of the last message in that epoch; 0 before the first.
    """


class TopicInfo(TypedDict):
    """
    A topic and its number of subscribers.
    """

    history: NotRequired[TopicHistory]
    """
    Its history, if it has one.
    """
    subscribers: int
    """
    Number of connections of this node that are subscribed.
    """
    topic: Topic
    """
    The topic.
    """


class TopicPage(TypedDict):
    """
    One page of topics, sorted as text.
    """

    next: NotRequired[Topic]
    """
    The `after` of the next page. Absent on the last page.
    """
    topics: list[TopicInfo]
    """
    The topics.
    """


class TopicRate(TypedDict):
    """
    How often a topic was published to.
    """

    per_second: float
    """
    The same for each second.
    """
    publications: int
    """
    Publications of this node within the window.
    """
    subscribers: int
    """
    Number of connections of this node that are subscribed now.
    """
    topic: Topic
    """
    The topic.
    """


TraceEventKind: TypeAlias = str
"""
What happened. Others may be added; accept them. Known: `started`: The trace begins, with `user`, `topic` or `streams`, and lasts until `until`. `published`: A message was published to what is traced: its `message`, `type`, `to`, `delivered` and `position`, and its `payload` if payloads were requested. `opened`: A connection of the user was opened, with its `roles`. `closed`: A connection of the user was closed, with its close `code` and the `reason`: `server`, `client` or `network`. `refreshed`: A connection has a new token, with its `roles`. `subscribed`: A connection was subscribed to `topic`, by `origin`. `unsubscribed`: A connection is no longer subscribed to `topic`. The `reason`: `client`, `server`, `revoked` or `closed`. `refused`: A command of the user's client was refused. The `reason` is the error code. `gap`: A client was sent a `gap`: it does not receive the messages that `gap` names. `history`: A connection catches up, after a slow time or a reconnect: it was sent `messages` of the history of `stream`. `skipped`: The reader of the trace was slow: `skipped` events are missing here. `alive`: Nothing has happened for a while, and the trace goes on. `ended`: The last line. The `reason`: `time` or `stopping`.
"""


UserId: TypeAlias = str
"""
A user, from the `sub` of the token: 1 to 255 characters. Control and invisible characters are refused.
"""


class UserTopicChange(TypedDict):
    """
    Whether a request changed the topics of a user, and the connections of this node that it concerns.
    """

    changed: bool
    """
    False if the user had the topic already, or did not have it.
    """
    connections: int
    """
    Number of the user's connections that are subscribed to the topic now, or were until now.
    """
    refused: int
    """
    Number of the user's connections that are not subscribed, because they have `limits.subscriptions` topics.
    """


class UserTopicList(TypedDict):
    """
    The topics that were given to a user.
    """

    topics: list[Topic]
    """
    The topics, sorted as text.
    """


class BusiestTopics(TypedDict):
    """
    The topics that were published to most often of late, the busiest first.
    """

    topics: list[TopicRate]
    """
    The topics.
    """
    window_ms: int
    """
    How far back publications were counted, in milliseconds: at most a minute, less if the server remembers fewer
    publications.
    """


class ConnectionSummary(TypedDict):
    """
    A connection in a list.
    """

    address: NotRequired[str]
    """
    The address of the client: behind a trusted proxy, the one that the proxy names.
    """
    client: NotRequired[ClientId]
    """
    The name that the client chose, the same after a reconnect.
    """
    created_at: Timestamp
    """
    The time at which it was accepted.
    """
    id: ConnectionId
    """
    The id of the connection.
    """
    last_activity: NotRequired[Timestamp]
    """
    The last time at which its client sent anything, a pong included.
    """
    metadata: NotRequired[dict[str, Any]]
    """
    The application's own data.
    """
    queued_bytes: int
    """
    Bytes of those messages.
    """
    queued_messages: int
    """
    Messages that wait to be sent.
    """
    roles: list[Role]
    """
    The roles of its token.
    """
    sent_frames: int
    """
    Frames that were sent since it was opened, control frames included.
    """
    subscription_count: int
    """
    Number of topics that it is subscribed to.
    """
    token: NotRequired[TokenInfo]
    """
    What its token says of itself, if it says anything. Never sent to other clients.
    """
    user: UserId
    """
    The user of its token.
    """


class DisconnectRequest(TypedDict, closed=True):
    """
    The close of a disconnect; all fields are optional.
    """

    block_for: NotRequired[TimeSpan | None]
    """
    Refuse the client for so long. One connection: its token, if that has a `jti`, else its user. A user's connections: the user.
    """
    code: NotRequired[int | Literal[4403, 4603] | None]
    """
    The close code: 4403 by default; an application's own 4000–4199 (the client does not reconnect) or 4200–4399 (it reconnects), or 4603 (revoked).
    """
    reason: NotRequired[str | None]
    """
    The reason, sent to the client: at most 100 characters.
    """


class ExplainedConnection(TypedDict):
    """
    The answer for one connection.
    """

    client: NotRequired[ClientId]
    """
    The name that its client chose.
    """
    connection: ConnectionId
    """
    Its id.
    """
    detail: str
    """
    The same for a person, with what to look at next.
    """
    matched: bool
    """
    Whether the message is for this connection.
    """
    reason: ExplainReason
    """
    Why, or why not.
    """
    topics: list[Topic]
    """
    The topics to which the connection is subscribed now, if the message is for a topic.
    """


class ExplainedMessage(TypedDict):
    """
    A recent message.
    """

    delivered: int
    """
    Number of connections of this node whose queues accepted it.
    """
    id: MessageId
    """
    Its id.
    """
    position: NotRequired[StreamPosition]
    """
    Its position in its stream, with history.
    """
    published_at: Timestamp
    """
    When this node published it.
    """


Gap = TypedDict(
    'Gap',
    {
        'from': NotRequired[int],
        'missed': NotRequired[int],
        'position': NotRequired[StreamPosition],
        'reason': GapReason,
        'stream': NotRequired[Stream],
        'to': NotRequired[int],
    },
)


class NodeStats(TypedDict):
    """
    The figures of a node. Those that end in `_total` only rise, and begin at 0 when the node starts.
    """

    at: Timestamp
    """
    When the figures were read.
    """
    closed_slow_total: int
    """
    Connections that were closed because they read too slowly.
    """
    closes_total: dict[str, int]
    """
    Closed connections by close code, `other` or `none`, without those of which there was none.
    """
    commands_total: int
    """
    Text messages that clients sent.
    """
    connections: int
    """
    Connections now.
    """
    connections_total: int
    """
    Connections that were admitted.
    """
    cpu_seconds: NotRequired[float]
    """
    CPU time that the process has used, in seconds, where the system tells it.
    """
    deliveries_total: int
    """
    Messages that connections took into their queues.
    """
    draining: bool
    """
    True while the node sends its clients away to stop.
    """
    dropped_total: int
    """
    Messages that were dropped from a slow reader's queue.
    """
    errors_total: int
    """
    Commands that were answered by an `error`.
    """
    gaps_total: int
    """
    Gaps that clients were sent.
    """
    history_bytes: int
    """
    Bytes of all histories.
    """
    history_streams: int
    """
    Streams with a history, or with the position of one.
    """
    limits: dict[str, int]
    """
    The configured limits, by the name of their setting after `limits.`.
    """
    memory_bytes: NotRequired[int]
    """
    Resident memory of the process, in bytes, where the system tells it.
    """
    node: NodeId
    """
    The node.
    """
    publications_total: int
    """
    Messages that were published on this node.
    """
    queued_bytes: int
    """
    Bytes that wait in the queues of all connections, at most 10 seconds ago.
    """
    refusals_total: dict[str, int]
    """
    Refused clients and callers of the HTTP API by reason, without those of which there was none.
    """
    started_at: Timestamp
    """
    When the node started.
    """
    subscriptions: int
    """
    Subscriptions now.
    """
    topics: int
    """
    Topics with at least one subscriber now.
    """
    users: int
    """
    Users with at least one connection now.
    """
    version: str
    """
    The version of the server.
    """


class PresentUser(TypedDict):
    """
    A user who is on a topic, with one connection or several.
    """

    connections: int
    """
    Number of the user's connections when this was written; 0 if the last one has just ended and the user may
    reconnect. A change of this number alone is not sent.
    """
    metadata: NotRequired[dict[str, Any]]
    """
    The public part of the metadata of the user's newest connection: a JSON object, where the namespace shows it.
    """
    user: UserId
    """
    The user.
    """


class Publication(TypedDict):
    """
    A message of the application: the only frame that has an `id`.
    """

    id: MessageId
    offset: NotRequired[int]
    """
    The position in the stream, with history.
    """
    payload: dict[str, Any] | list[Any] | str | float | bool | None
    """
    Any JSON value.
    """
    stream: NotRequired[Stream]
    timestamp: Timestamp
    topic: NotRequired[Topic]
    type: MessageType


class Receipt(TypedDict):
    """
    The result of a publication.
    """

    delivered: int
    """
    Number of connections of this node whose queues accepted the message.
    """
    duplicate: NotRequired[bool]
    """
    Whether this is the receipt of an earlier request with the same idempotency key.
    """
    id: MessageId
    """
    The message's id, as its recipients receive it.
    """
    other_nodes: bool
    """
    Whether it was sent to other nodes as well.
    """
    position: NotRequired[StreamPosition]
    """
    The message's position in its stream, with history.
    """


class Revocation(TypedDict):
    """
    Tokens that are refused until a time. Which ones: as in the request.
    """

    created_at: Timestamp
    """
    When it was made.
    """
    id: RevocationId
    """
    Identifies the revocation.
    """
    issued_before: NotRequired[Timestamp]
    """
    Every token whose `iat` is before this time, and every token without `iat`.
    """
    jti: NotRequired[str]
    """
    The token with this `jti`.
    """
    reason: str
    """
    Why, sent to the clients.
    """
    until: Timestamp
    """
    When it ends.
    """
    user: NotRequired[UserId]
    """
    Without `issued_before`: this user, whatever the token. With it: only tokens of this user.
    """


class RevocationPage(TypedDict):
    """
    One page of revocations, oldest first.
    """

    next: NotRequired[RevocationId]
    """
    What to give as `after` for the next page. Absent on the last.
    """
    revocations: list[Revocation]
    """
    The revocations.
    """


RevocationRequest = TypedDict(
    'RevocationRequest',
    {
        'for': NotRequired[TimeSpan | None],
        'issued_before': NotRequired[Timestamp | None],
        'jti': NotRequired[str | None],
        'reason': NotRequired[str | None],
        'until': NotRequired[Timestamp | None],
        'user': NotRequired[UserId | None],
    },
    closed=True,
)


class Revoked(TypedDict):
    """
    A revocation that was made, and its effect.
    """

    created_at: Timestamp
    """
    When it was made.
    """
    disconnected: int
    """
    How many connections of this node were closed by it.
    """
    id: RevocationId
    """
    Identifies the revocation.
    """
    issued_before: NotRequired[Timestamp]
    """
    Every token whose `iat` is before this time, and every token without `iat`.
    """
    jti: NotRequired[str]
    """
    The token with this `jti`.
    """
    reason: str
    """
    Why, sent to the clients.
    """
    until: Timestamp
    """
    When it ends.
    """
    user: NotRequired[UserId]
    """
    Without `issued_before`: this user, whatever the token. With it: only tokens of this user.
    """


class ToUser(TypedDict, closed=True):
    """
    Every connection of a user.
    """

    user: UserId


class ToTopic(TypedDict, closed=True):
    """
    Every connection that is subscribed to a topic.
    """

    topic: Topic


Route: TypeAlias = ToAll | ToUser | ToRole | ToConnection | ToTopic
"""
One set of connections that a message is routed to.
"""


class Subscriber(TypedDict):
    """
    A connection that is subscribed to a topic.
    """

    client: NotRequired[ClientId]
    """
    The name that the client chose, the same after a reconnect.
    """
    created_at: Timestamp
    """
    The time at which it was accepted.
    """
    id: ConnectionId
    """
    The id of the connection.
    """
    metadata: NotRequired[dict[str, Any]]
    """
    The application's own data.
    """
    origin: Origin
    """
    The origin of the subscription.
    """
    roles: list[Role]
    """
    The roles of its token.
    """
    token: NotRequired[TokenInfo]
    """
    What its token says of itself, if it says anything. Never sent to other clients.
    """
    user: UserId
    """
    The user of its token.
    """


class SubscriberPage(TypedDict):
    """
    One page of a topic's subscribers, sorted by connection id.
    """

    next: NotRequired[ConnectionId]
    """
    The `after` of the next page. Absent on the last page.
    """
    subscribers: list[Subscriber]
    """
    The subscribers on this node.
    """


class Subscription(TypedDict):
    """
    One connection's subscription to one topic.
    """

    origin: Origin
    """
    Its origin.
    """
    topic: Topic
    """
    The topic.
    """


class TraceRequest(TypedDict, closed=True):
    """
    What to trace: a user, a topic or the messages of streams, for a time.
    """

    payloads: NotRequired[bool]
    """
    Whether the payloads of messages are shown.
    """
    seconds: NotRequired[int | None]
    """
    Number of seconds after which the trace ends: at most `limits.trace_time`. 60 if absent, or `limits.trace_time` if
    that is less.
    """
    streams: NotRequired[list[StreamPattern]]
    """
    Patterns of streams, 1 to 8: messages that are published to any of them, and nothing else.
    """
    topic: NotRequired[Topic | None]
    """
    The topic.
    """
    type: NotRequired[MessageType | None]
    """
    Of messages, only those of this type.
    """
    user: NotRequired[UserId | None]
    """
    The user, with all connections to this node, now and later.
    """


RouteUnion: TypeAlias = list[Route]
"""
One route, or a list of them: the union, each connection once.
"""


Audience: TypeAlias = Route | RouteUnion
"""
One route, or a list of them: the union, each connection once.
"""


BatchResult: TypeAlias = Receipt | Problem
"""
The result of one message: a receipt or a problem.
"""


class ConnectionInfo(TypedDict):
    """
    A connection and its subscriptions.
    """

    address: NotRequired[str]
    """
    The address of the client: behind a trusted proxy, the one that the proxy names.
    """
    client: NotRequired[ClientId]
    """
    The name that the client chose, the same after a reconnect.
    """
    created_at: Timestamp
    """
    The time at which it was accepted.
    """
    id: ConnectionId
    """
    The id of the connection.
    """
    last_activity: NotRequired[Timestamp]
    """
    The last time at which its client sent anything, a pong included.
    """
    metadata: NotRequired[dict[str, Any]]
    """
    The application's own data.
    """
    queued_bytes: int
    """
    Bytes of those messages.
    """
    queued_messages: int
    """
    Messages that wait to be sent.
    """
    roles: list[Role]
    """
    The roles of its token.
    """
    sent_frames: int
    """
    Frames that were sent since it was opened, control frames included.
    """
    subscription_count: int
    """
    Number of topics that it is subscribed to.
    """
    subscriptions: list[Subscription]
    """
    Its subscriptions, by topic.
    """
    token: NotRequired[TokenInfo]
    """
    What its token says of itself, if it says anything. Never sent to other clients.
    """
    user: UserId
    """
    The user of its token.
    """


class ConnectionList(TypedDict):
    """
    The connections of a user.
    """

    connections: list[ConnectionInfo]
    """
    The connections on this node, oldest first.
    """


class ConnectionPage(TypedDict):
    """
    One page of connections, sorted by id, which is the order of their creation.
    """

    connections: list[ConnectionSummary]
    """
    The connections on this node.
    """
    next: NotRequired[ConnectionId]
    """
    The `after` of the next page. Absent on the last page. A page before it may be short or empty: a request looks at
    a limited number of connections.
    """


class Disconnected(TypedDict):
    """
    The number of closed connections.
    """

    disconnected: int
    """
    The number.
    """
    revocation: NotRequired[Revocation]
    """
    With `block_for`: what is refused, and until when.
    """


class ExplainRequest(TypedDict, closed=True):
    """
    A question: does a message reach a user, and why or why not? Either about a recent `message`, or about a message that
    would be published `to` these recipients now.
    """

    except_client: NotRequired[ClientId | None]
    """
    The client that such a message would leave out.
    """
    message: NotRequired[MessageId | None]
    """
    The id of a recent message, from its receipt or its frame.
    """
    to: NotRequired[Audience | None]
    """
    The recipients of a message that would be published now.
    """
    user: UserId
    """
    The user.
    """


class Explanation(TypedDict):
    """
    The answer for a user.
    """

    connections: list[ExplainedConnection]
    """
    Each connection of the user to this node, oldest first.
    """
    detail: str
    """
    The answer for a person, with what to look at next.
    """
    matched: bool
    """
    Whether the message is for at least one connection of the user.
    """
    message: NotRequired[ExplainedMessage]
    """
    The recent message; absent if the question was about recipients.
    """
    to: Audience
    """
    The recipients.
    """
    user: UserId
    """
    The user.
    """


class HistoryPage(TypedDict):
    """
    One page of a stream's history.
    """

    more: bool
    """
    Whether there are more in this direction. The next page begins at the offset of the last message of this one.
    """
    position: StreamPosition
    """
    The stream's current position: of its newest message, kept or not.
    """
    publications: list[Publication]
    """
    The messages, as the frames that were sent: oldest first, or newest first with `reverse`.
    """
    stream: Stream
    """
    The stream.
    """


class PresencePage(TypedDict):
    """
    One page of the users who are on a topic, sorted by user.
    """

    count: int
    """
    Number of users who are on the topic, on all pages.
    """
    next: NotRequired[UserId]
    """
    The `after` of the next page. Absent on the last page.
    """
    topic: Topic
    """
    The topic.
    """
    users: list[PresentUser]
    """
    The users of this page. Empty if only the count was asked for.
    """
    version: int
    """
    The version of the list. It rises with each change while the topic has users or watchers.
    """


class PublishRequest(TypedDict, closed=True):
    """
    A message to publish.
    """

    except_client: NotRequired[ClientId | None]
    """
    The client whose connections do not receive the message, usually because it caused it.
    """
    history: NotRequired[bool]
    """
    Whether a stream with history keeps the message. With `false` it is sent to the clients that are connected now, and
    has no position. A message to several routes needs `false` if one of them has history.
    """
    idempotency_key: NotRequired[str | None]
    """
    Makes a retry safe: a repeated request with the same key gets the first receipt and is not published again. 1 to 128 characters.
    """
    payload: dict[str, Any] | list[Any] | str | float | bool | None
    """
    The content: any JSON value.
    """
    timestamp: NotRequired[Timestamp | None]
    """
    The time of the event; the server's clock if absent.
    """
    to: Audience
    """
    The recipients.
    """
    type: MessageType
    """
    The application's type of message.
    """


class TraceEvent(TypedDict):
    """
    One event of a trace. Only the fields that belong to its kind are present. No token is in it, and no
    payload unless payloads were requested.
    """

    at: Timestamp
    """
    When it happened.
    """
    client: NotRequired[ClientId]
    """
    The name that the connection's client chose.
    """
    code: NotRequired[int]
    """
    The close code. Absent if there was no close frame.
    """
    connection: NotRequired[ConnectionId]
    """
    The connection.
    """
    connections: NotRequired[list[ConnectionId]]
    """
    The connections of the traced user that the message is for.
    """
    delivered: NotRequired[int]
    """
    Number of connections of this node, of all users, whose queues accepted the message.
    """
    detail: NotRequired[str]
    """
    The same for a person.
    """
    event: TraceEventKind
    """
    What happened.
    """
    except_client: NotRequired[ClientId]
    """
    The client that the message leaves out.
    """
    gap: NotRequired[Gap]
    """
    The messages that the client does not receive.
    """
    message: NotRequired[MessageId]
    """
    The id of the message.
    """
    messages: NotRequired[int]
    """
    Number of messages of the stream's history.
    """
    origin: NotRequired[Origin]
    """
    The origin of the subscription.
    """
    payload: NotRequired[dict[str, Any] | list[Any] | str | float | bool | None]
    """
    The content of the message, if payloads were requested.
    """
    position: NotRequired[StreamPosition]
    """
    The position of the message in its stream, with history.
    """
    reason: NotRequired[str]
    """
    Why, as a word. Others may be added.
    """
    roles: NotRequired[list[Role]]
    """
    The roles of the connection.
    """
    skipped: NotRequired[int]
    """
    Number of events that are missing.
    """
    stream: NotRequired[Stream]
    """
    The stream.
    """
    streams: NotRequired[list[StreamPattern]]
    """
    The patterns of streams that are traced.
    """
    to: NotRequired[Audience]
    """
    The recipients of the message.
    """
    topic: NotRequired[Topic]
    """
    The topic.
    """
    type: NotRequired[MessageType]
    """
    The type of the message.
    """
    until: NotRequired[Timestamp]
    """
    When the trace ends.
    """
    user: NotRequired[UserId]
    """
    The user of the connection, or the one that is traced.
    """


class BatchRequest(TypedDict, closed=True):
    """
    Several messages to publish, in order.
    """

    publications: list[PublishRequest]
    """
    The messages: 1 to 1,000.
    """


class BatchResponse(TypedDict):
    """
    One result for each message of a batch, in order.
    """

    results: list[BatchResult]
    """
    The results.
    """
