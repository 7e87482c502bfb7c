"""A program that breaks the contract: mypy and pyright refuse each line that is marked, and no other."""

from __future__ import annotations

from realtime_client import Realtime

from .contract.topics_client import typed

topics = typed(Realtime("wss://example.com/ws", "token"))
order = topics.topic("order:*", "123")
chat = topics.topic("chat:**", "room", "7")


async def main() -> None:
    topics.on("order:*", "order-deleted", lambda m: None)  # wrong: no such type of this topic
    topics.on("orders:*", "note", lambda m: None)  # wrong: no such pattern
    topics.on("order:*", "order-updated", lambda m: print(m.payload["statsu"]))  # wrong: a misspelt field
    topics.on("chat:**", "note", lambda m: None)  # wrong: the type belongs to another topic
    topics.on("order:*", "note", lambda m: print(m.payload["text"] + 1))  # wrong: the field is a text
    topics.topic("invoice:*", "1")  # wrong: no such pattern
    topics.topic("order:*", "1", "items")  # wrong: `*` is one part
    topics.topic("chat:**")  # wrong: `**` is one part or more
    topics.subscribe("order:123")  # wrong: a text may be any topic
    topics.subscribe(chat, lambda m: print(m.payload["total"]))  # wrong: a field of another topic
    topics.subscribe(order, lambda m: print(m.payload["text"]))  # wrong: the field is only in one of the types
    await topics.publish(order, "order-updated", {"status": "lost", "total": 1})  # wrong: a value that it can't have
    await topics.publish(order, "order-updated", {"status": "open"})  # wrong: a missing field
    await topics.publish(order, "note", {"text": "a", "colour": "red"})  # wrong: no such field
    await topics.publish(chat, "note", {"text": "a"})  # wrong: the type belongs to another topic
