"""The settings of the project."""

import os

SECRET_KEY = os.environ.get("SECRET", "for this example")
DEBUG = True
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "notes",
    "yieldwire.integrations.django",
]
YIELDWIRE_ACTIONS = "notes.actions.actions"
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "shop.urls"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DATABASE", "notes.db"),
    }
}
