from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from . import views

urlpatterns = [
    path("", views.home),
    path("accounts/login/", LoginView.as_view()),
    path("accounts/logout/", LogoutView.as_view()),
    path("token", views.token),
    path("notifications", views.notifications),
    path("notifications/send", views.send),
    path("notifications/read", views.read),
]
