from __future__ import annotations

import json

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from . import realtime
from .models import Notification

NEWEST = 50


@login_required
def home(request: HttpRequest) -> HttpResponse:
    users = get_user_model().objects.order_by("username")
    return render(request, "home.html", {"realtime_url": settings.REALTIME_URL, "users": users})


@never_cache
@require_GET
def token(request: HttpRequest) -> HttpResponse:
    """Asked by the page before every attempt to connect. 401: no user is signed in, so the client stops."""
    if not request.user.is_authenticated:
        return JsonResponse({"detail": "not signed in"}, status=401)
    return JsonResponse({"token": realtime.token(request.user)})


@never_cache
@login_required
@require_GET
def notifications(request: HttpRequest) -> HttpResponse:
    own = request.user.notifications
    unread = own.filter(is_read=False).count()
    return JsonResponse({"notifications": [one.payload() for one in own.all()[:NEWEST]], "unread": unread})


@login_required
@require_POST
@transaction.atomic
def send(request: HttpRequest) -> HttpResponse:
    user = get_object_or_404(get_user_model(), username=request.POST.get("to"))
    text = request.POST.get("text", "").strip()[:500]
    if text:
        notification = Notification.objects.create(user=user, text=text)
        realtime.publish_to_user(user, "notification", notification.payload())
    return redirect("/")


@login_required
@require_POST
@transaction.atomic
def read(request: HttpRequest) -> HttpResponse:
    """Marks notifications as read, on all pages of the user."""
    unread = request.user.notifications.filter(pk__in=json.loads(request.body)["ids"][:1000], is_read=False)
    ids = list(unread.values_list("pk", flat=True))
    unread.update(is_read=True)
    if ids:
        realtime.publish_to_user(request.user, "read", {"ids": ids})
    return JsonResponse({"ids": ids})
