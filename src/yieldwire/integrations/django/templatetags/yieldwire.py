"""``{% load yieldwire %}``: tags that show runs."""

from typing import Any
from urllib.parse import quote

from django import template
from django.apps import apps
from django.urls import get_script_prefix
from django.utils.html import format_html

from yieldwire.actions.run import Run

register: template.Library = template.Library()


@register.simple_tag
def yieldwire_run(run: Run[object] | str) -> Any:  # noqa: ANN401 - Django's HTML
    """Return HTML that shows a run: its progress, its text, its output and a button that stops it.

    The browser gets all of it from the actions, as the user who is signed in there. A page can show
    several runs, and each once.

    Args:
        run: The run, or its id.
    """
    run_id = run if isinstance(run, str) else run.id
    config: Any = apps.get_app_config("yieldwire")
    base = get_script_prefix().rstrip("/") + config.mounted_at
    return format_html(
        '<link rel="stylesheet" href="{base}/follow.css">'
        '<div class="yieldwire-run" data-embed="{run}"></div>'
        '<script type="module" src="{base}/follow.js?run={quoted}"></script>',
        base=base,
        run=run_id,
        quoted=quote(run_id, safe=""),
    )
