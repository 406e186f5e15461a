"""Places in which clients write the files of a start to the object store themselves."""

from yieldwire.asgi.bodies import read_whole
from yieldwire.asgi.exchange import Exchange
from yieldwire.asgi.newfile import new_files
from yieldwire.asgi.requestlimits import RequestLimits
from yieldwire.asgi.site import Site
from yieldwire.asgi.startrequest import request_of
from yieldwire.errors import NotFound, ParseError, PayloadTooLarge, RateLimited
from yieldwire.runs.access import Caller
from yieldwire.stores.direct import NewFile


async def reserve_place(site: Site, exchange: Exchange, caller: Caller, name: str) -> None:
    """Answer ``POST {base}/{action}/uploads``: a place for the files of a start."""
    action = site.app.registry.action_named(name)
    if not site.app.places.are_offered:
        raise NotFound("This server takes files only with the start.")
    if not action.takes_files or action.method != "POST":
        raise ParseError(f"{action.name} takes no files.")
    limits, idle = site.request_limits, site.app.timing.body
    files = new_files(await read_whole(exchange.headers, exchange.receive, limits, idle))
    _check(files, limits)
    wait = await site.place_requests.wait_for(caller.quota_key)
    if wait > 0:
        raise RateLimited("Too many places for uploads; wait a little.", retry_after=max(1.0, wait))
    place = await site.app.reserve(request_of(site, exchange, caller, action), files)
    uploads = [
        {"method": "PUT", "url": each.url, "headers": dict(each.headers)} for each in place.uploads
    ]
    await exchange.answer_json(200, {"place": place.signed, "uploads": uploads})


def _check(files: list[NewFile], limits: RequestLimits) -> None:
    if len(files) > limits.files:
        raise PayloadTooLarge(f"There can be at most {limits.files} files.")
    if sum(file.size for file in files) > limits.upload_bytes:
        raise PayloadTooLarge(f"The files are over the limit of {limits.upload_bytes} bytes.")
