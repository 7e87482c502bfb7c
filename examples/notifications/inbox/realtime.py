"""All that this project says to Realtime: tokens for its users, and what is published to them."""

from __future__ import annotations

import logging
import time
from typing import Any

import jwt
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from realtime_client.backend import BackendError, SyncBackend

log = logging.getLogger(__name__)
# One for each process; any thread may use it.
backend = SyncBackend(settings.REALTIME_API, settings.REALTIME_API_KEY)


def token(user: AbstractBaseUser) -> str:
    """Says who the user is, for five minutes. The page asks for the next one in time."""
    claims = {"sub": str(user.pk), "exp": int(time.time()) + settings.REALTIME_TOKEN_SECONDS}
    return jwt.encode(claims, settings.REALTIME_TOKEN_SECRET, algorithm="HS256")


def publish_to_user(user: AbstractBaseUser, type: str, payload: dict[str, Any]) -> None:
    """Publishes to all pages of a user, once the transaction is committed: nobody sees what is rolled back."""

    def publish() -> None:
        try:
            # Repeated for 10 s if the server is away, and published once.
            backend.publish({"user": str(user.pk)}, type, payload)
        except BackendError:
            # It is committed: a page gets it from the database when it is loaded.
            log.exception("a message of the type %s was not published", type)

    transaction.on_commit(publish)
