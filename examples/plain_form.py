"""A plain HTML form that starts a run, without JavaScript.

The browser posts the form to the action and is redirected to a small page that follows the
run to its end. The actions are mounted into a Starlette application::

    uvicorn examples.plain_form:app
"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from examples.import_airports import actions

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Import airports</title>
<h1>Import airports</h1>
<form method="post" enctype="multipart/form-data" action="/api/_actions/import_airports">
  <p><label>CSV file <input type="file" name="file" accept=".csv"></label>
    (none: the airports that come with the example)</p>
  <p><button>Import</button></p>
</form>
</html>
"""


async def page(_request: Request) -> HTMLResponse:
    """Show the form."""
    return HTMLResponse(PAGE)


app = Starlette(
    routes=[Route("/", page), Mount("/api/_actions", actions)],
    lifespan=actions.lifespan,
)
