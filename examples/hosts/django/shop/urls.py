"""The routes of the project."""

from pathlib import Path

from django.contrib.auth import login
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def sign_in(request: HttpRequest, name: str) -> HttpResponse:
    """Sign in without a password; replace it by your own."""
    login(request, User.objects.get_or_create(username=name)[0])
    return HttpResponse(name)


def page(request: HttpRequest) -> HttpResponse:
    """Return the page."""
    return HttpResponse((Path(__file__).parents[2] / "page.html").read_text())


urlpatterns = [path("", page), path("sign-in/<name>", sign_in)]
