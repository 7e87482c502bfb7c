from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models


class Notification(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notifications")
    text = models.CharField(max_length=500)
    created_at = models.DateTimeField(auto_now_add=True)
    is_read = models.BooleanField(default=False)

    class Meta:
        ordering = ["-id"]

    def payload(self) -> dict[str, Any]:
        """As pages get it, from the database and from Realtime: schemas/notification.json."""
        return {"id": self.pk, "text": self.text, "created_at": self.created_at.isoformat(), "is_read": self.is_read}
