"""The application, for ASGI servers."""

import os

from django.core.asgi import get_asgi_application

from yieldwire.integrations.django import mount

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = mount(get_asgi_application())
