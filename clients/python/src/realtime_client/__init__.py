"""A client of the Realtime server, on asyncio: see README.md. ``realtime_client.backend`` is for the HTTP API."""

from .client import Realtime
from .driver import TokenProvider
from .errors import RealtimeError
from .machine.values import ConnectionState, FieldError, Gap, Message, Position, Reason, SubscriptionStatus
from .results import HistoryPage, Published, Session
from .subscription import GetState, Ready, Subscription

__all__ = [
    "ConnectionState",
    "FieldError",
    "Gap",
    "GetState",
    "HistoryPage",
    "Message",
    "Position",
    "Published",
    "Ready",
    "Realtime",
    "RealtimeError",
    "Reason",
    "Session",
    "Subscription",
    "SubscriptionStatus",
    "TokenProvider",
]
