"""A program that keeps the contract: mypy and pyright accept every line of it."""

from __future__ import annotations

from realtime_client import Gap, Realtime

from .contract.topics import OrderUpdated
from .contract.topics_client import TopicOrderAny, typed


async def main() -> None:
    rt = Realtime("wss://example.com/ws", "token")
    topics = typed(rt)
    order = topics.topic("order:*", "123")
    chat = topics.topic("chat:**", "room", "7")

    topics.on("order:*", "order-updated", lambda m: print(m.payload["total"] + 1))
    topics.on(order, "note", lambda m: print(m.payload["text"].upper()))
    topics.on("chat:**", "said", lambda m: print(m.payload["text"], m.id, m.offset))

    async def show(message: TopicOrderAny) -> None:
        if message.type == "order-updated":
            print(message.payload["status"] == "open")
        else:
            print(message.payload["text"])

    topics.subscribe(order, show)
    async with topics.subscribe(order) as _:
        pass
    following = topics.subscribe(order)
    print((await following.ready()).recovered, topics.subscribe(chat).topic)
    async for event in following.events():
        if isinstance(event, Gap):
            print(event.reason)
        elif event.type == "note":
            print(event.payload["text"])

    payload: OrderUpdated = {"status": "shipped", "total": 3}
    await topics.publish(order, "order-updated", payload)
    await topics.publish(order, "note", {"text": "hi"}, echo=False)
