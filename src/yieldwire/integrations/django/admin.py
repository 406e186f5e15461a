"""Runs in the admin of Django: a list with filters, a page for each, and a button that cancels.

Reading needs the permission ``yieldwire.view_run``, and cancelling ``yieldwire.change_run``;
neither depends on who owns a run. What a page needs of the store is awaited in the event loop of
the server, and a thread waits for it, as for every view of the admin.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import urlencode

from asgiref.sync import async_to_sync
from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path
from pydantic_core import from_json, to_json

from yieldwire.app import App
from yieldwire.display.progress import progress_in
from yieldwire.errors import Json, NotFound, StoreError
from yieldwire.integrations.django.models import Run
from yieldwire.log.chunks import text_of
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import Query

Shown: TypeAlias = HttpResponseRedirect | TemplateResponse
"""What a view of the admin answers."""

PAGE: Final = 50
"""How many runs are on one page of the list."""
REFRESH: Final = 2
"""Seconds after which the page of a run that has not ended is loaded again."""
COLUMNS: Final = 80
"""About how many characters are in a row of a text."""
MOST_ROWS: Final = 20
"""How many rows of a text are shown at a time."""

if TYPE_CHECKING:
    _ModelAdmin: TypeAlias = admin.ModelAdmin[Run]
else:
    _ModelAdmin = admin.ModelAdmin  # Django's own class takes no parameter


@admin.register(Run)
class RunAdmin(_ModelAdmin):
    """Lists, shows and cancels runs."""

    def has_add_permission(self, request: Any) -> bool:  # noqa: ANN401 - a request of Django
        """Return ``False``: runs are started as actions."""
        return False

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:  # noqa: ANN401 - as above
        """Return ``False``: runs are deleted when their action's ``retention`` is over."""
        return False

    def get_urls(self) -> list[Any]:
        """Return the list and the page of a run."""
        name, view = f"{self.opts.app_label}_{self.opts.model_name}", self.admin_site.admin_view
        shown = "<path:object_id>/change/"
        return [
            path("", view(self.changelist_view), name=f"{name}_changelist"),
            path(shown, view(self.change_view), name=f"{name}_change"),
        ]

    def changelist_view(self, request: Any, extra_context: Any = None) -> Shown:  # noqa: ANN401 - as above
        """Return the list of runs, newest first, or cancel those that are selected."""
        self._check(request)
        if request.method == "POST":
            self._cancel(request, request.POST.getlist("run"))
            return HttpResponseRedirect(request.get_full_path())
        told = request.GET.dict()
        status = told.get("status") if told.get("status") in {*Status} else None
        query = Query(
            everyone="owner" not in told,
            owner=told.get("owner"),
            action=told.get("action"),
            status=None if status is None else Status(status),
            before=told.get("before"),
            limit=PAGE + 1,
        )
        rows = async_to_sync(_rows)(_app(), query)
        names = [action.name for action in _app().registry.actions]
        page = rows[:PAGE]
        context = {
            "title": "Runs",
            "rows": page,
            "next": _link(told, before=page[-1]["id"]) if len(rows) > PAGE else "",
            "filters": [
                _filter(told, "status", [status.value for status in Status]),
                _filter(told, "action", names),
                _filter(told, "owner", [told["owner"]] if "owner" in told else []),
            ],
            "can_cancel": any(not row["is_over"] for row in page)
            and self.has_change_permission(request),
            **(extra_context or {}),
        }
        return self._page(request, "change_list", context)

    def change_view(
        self,
        request: Any,  # noqa: ANN401 - as above
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,  # noqa: ANN401 - as above
    ) -> Shown:
        """Return the page of a run, or cancel it."""
        self._check(request)
        run_id = unquote(object_id)
        if request.method == "POST":
            self._cancel(request, [run_id])
            return HttpResponseRedirect(request.get_full_path())
        try:
            run, snapshot = async_to_sync(_state)(_app(), run_id)
        except NotFound as exc:
            raise Http404(str(exc)) from exc
        row = _row(run, snapshot)
        context = {
            "title": f"Run of {run.action}",
            "row": row,
            "facts": _facts(run, snapshot),
            "documents": _documents(run, snapshot),
            "refresh": 0 if row["is_over"] else REFRESH,
            "can_cancel": not row["is_over"] and self.has_change_permission(request),
            **(extra_context or {}),
        }
        return self._page(request, "change_form", context)

    def _check(self, request: Any) -> None:  # noqa: ANN401 - as above
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not hasattr(request, "scope"):
            raise Http404(
                "Runs are shown where the project is served by an ASGI server: start it with "
                "`manage.py yieldwire dev`."
            )

    def _cancel(self, request: Any, run_ids: Sequence[str]) -> None:  # noqa: ANN401 - as above
        if not self.has_change_permission(request):
            raise PermissionDenied
        cancelled = async_to_sync(_cancelled)(_app(), run_ids)
        for run_id in cancelled:
            self.log_change(request, Run(id=run_id), "Cancelled.")
        count = len(cancelled)
        text = "1 run was asked to stop." if count == 1 else f"{count} runs were asked to stop."
        self.message_user(request, text, messages.SUCCESS if count else messages.WARNING)

    def _page(self, request: Any, name: str, context: Mapping[str, Any]) -> Shown:  # noqa: ANN401 - as above
        request.current_app = self.admin_site.name
        whole = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, f"admin/yieldwire/run/{name}.html", whole)


def _app() -> App:
    config: Any = apps.get_app_config("yieldwire")
    app: App = config.actions.app
    return app


async def _rows(app: App, query: Query) -> list[dict[str, Any]]:
    """Return the entries of a list; those that have not ended have their progress."""
    rows: list[dict[str, Any]] = []
    for run in await app.find(query):
        snapshot: Mapping[str, Json] | None = None
        if not run.status.is_terminal:
            # A run that was deleted or cannot be read does not take the whole list with it.
            with suppress(NotFound, StoreError):
                snapshot = await app.snapshot(run.id, with_text=False)
        rows.append(_row(run, snapshot))
    return rows


async def _state(app: App, run_id: str) -> tuple[RunRecord, dict[str, Json]]:
    await app.ready()
    return await app.store.get(run_id), await app.snapshot(run_id)


async def _cancelled(app: App, run_ids: Sequence[str]) -> list[str]:
    """Ask runs to stop, and return those that had not ended."""
    await app.ready()
    found: list[str] = []
    for run_id in run_ids:
        try:
            run = await app.store.get(run_id)
        except NotFound:
            continue
        if not run.status.is_terminal:
            await app.cancel(run_id)
            found.append(run_id)
    return found


def _row(run: RunRecord, snapshot: Mapping[str, Json] | None) -> dict[str, Any]:
    """Return what a list shows of a run."""
    progress = None if snapshot is None else progress_in(snapshot["progress"])
    return {
        "id": run.id,
        "action": run.action,
        "status": run.status.value,
        "owner": run.owner,
        "created": _time(run.created_at),
        "progress": progress,
        "is_over": run.status.is_terminal,
        "is_stopping": run.cancel_reason is not None and not run.status.is_terminal,
    }


def _facts(run: RunRecord, snapshot: Mapping[str, Json]) -> list[tuple[str, object]]:
    facts = [
        ("Id", run.id),
        ("Action", run.action),
        ("Owner", run.owner),
        ("Attempt", run.attempt or None),
        ("Labels", ", ".join(run.labels)),
        ("Created", _time(run.created_at)),
        ("Started", _time(run.started_at)),
        ("Ended", _time(run.ended_at)),
        ("Questions", ", ".join(one["prompt"] for one in snapshot["questions"])),
    ]
    return [(name, value) for name, value in facts if value]


def _documents(run: RunRecord, snapshot: Mapping[str, Json]) -> list[tuple[str, str, int]]:
    """Return the larger parts of a run as text, each with the rows that it takes."""
    chunk = snapshot["chunk"]
    is_shown = progress_in(chunk) is not None or text_of(to_json(chunk)) is not None
    values = {
        "Input": from_json(run.input) or None,
        "Text": snapshot["text"],
        "Newest output": None if is_shown else chunk,
        "Result": snapshot["result"],
        "Error": snapshot["error"],
    }
    texts = {
        name: value if isinstance(value, str) else to_json(value, indent=2).decode()
        for name, value in values.items()
        if value is not None
    }
    return [(name, text, _rows_for(text)) for name, text in texts.items()]


def _rows_for(text: str) -> int:
    return min(MOST_ROWS, 1 + sum(1 + len(line) // COLUMNS for line in text.splitlines()))


def _filter(told: Mapping[str, str], name: str, values: Sequence[str]) -> dict[str, Any]:
    """Return a filter of the list: its choices, each with its link."""
    chosen = told.get(name)
    choices = [("All", _link(told, **{name: None}), chosen is None)]
    choices += [(value, _link(told, **{name: value}), value == chosen) for value in values]
    return {"name": name, "choices": choices if values else []}


def _link(told: Mapping[str, str], **changes: str | None) -> str:
    """Return a link to the list with other filters, at its first page unless that is given."""
    wanted = {**told, "before": None, **changes}
    return "?" + urlencode({name: value for name, value in wanted.items() if value is not None})


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
