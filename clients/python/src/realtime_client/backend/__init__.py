"""The HTTP API of the server, for backends: ``pip install realtime-client[backend]``.

`SyncBackend` blocks, for Django, Flask and scripts; `Backend` is for asyncio. Both have the same methods.
"""

from .asynchronous import Backend
from .blocking import SyncBackend
from .errors import (
    BackendError,
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    PayloadInvalid,
    TooMany,
    Unauthorized,
    Unavailable,
    error_of,
)

__all__ = [
    "Backend",
    "BackendError",
    "BadRequest",
    "Conflict",
    "Forbidden",
    "NotFound",
    "PayloadInvalid",
    "SyncBackend",
    "TooMany",
    "Unauthorized",
    "Unavailable",
    "error_of",
]
