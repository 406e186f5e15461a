"""A model without a table: by it the admin lists runs, and Django has permissions for them."""

from django.db import models


class Run(models.Model):
    """A run of an action, which is in the store of the actions and not in Django's database."""

    id: "models.CharField[str, str]" = models.CharField(primary_key=True, max_length=64)

    class Meta:
        """How Django calls it."""

        managed: bool = False
        default_permissions: tuple[str, ...] = ("view", "change")

    def __str__(self) -> str:
        """Return its id."""
        return self.id
