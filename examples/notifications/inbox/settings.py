"""Settings for a development machine. Secrets and the database are in the folder where Django is started."""

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = Path.cwd()


def secret(name: str) -> str:
    return (FOLDER / "secrets" / name).read_text().strip()


SECRET_KEY = secret("django")
DEBUG = True  # in production: False, with ALLOWED_HOSTS

REALTIME_URL = os.environ.get("REALTIME_URL", "ws://127.0.0.1:8080/ws")  # for pages
REALTIME_API = os.environ.get("REALTIME_API", "http://127.0.0.1:8080")  # for this backend
REALTIME_API_KEY = secret("api")
REALTIME_TOKEN_SECRET = secret("tokens")
REALTIME_TOKEN_SECONDS = 300

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "inbox",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request", "django.contrib.auth.context_processors.auth"]},
    }
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "inbox.urls"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "/"
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
# Our client, as it was built. When it is on npm: node_modules/@realtime/client/dist.
STATICFILES_DIRS = [("client", HERE.parent / "../../clients/typescript/dist")]
