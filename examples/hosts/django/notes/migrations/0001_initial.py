"""The first tables."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Notes."""

    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Note",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False, auto_created=True)),
                ("owner", models.CharField(max_length=150)),
                ("text", models.TextField()),
            ],
        ),
    ]
