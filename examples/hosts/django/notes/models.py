"""The tables of the app."""

from django.db import models


class Note(models.Model):
    """One note of a user."""

    owner = models.CharField(max_length=150)
    text = models.TextField()
