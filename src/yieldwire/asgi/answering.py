"""What callers tell a run: answers to its questions, and messages to its inbox."""

from functools import partial
from urllib.parse import quote

from yieldwire.asgi.bodies import read_input
from yieldwire.asgi.exchange import Exchange, run_headers
from yieldwire.asgi.followpage import is_form
from yieldwire.asgi.pages.form import Form
from yieldwire.asgi.pages.question import link_page, question_form, sent_page
from yieldwire.asgi.site import Site
from yieldwire.asgi.startrequest import key_of
from yieldwire.describe.schema import Schema
from yieldwire.errors import Json, NotFound, RateLimited
from yieldwire.log.message import Message
from yieldwire.runs.access import Caller
from yieldwire.runs.start import close_uploads


async def answer_question(
    site: Site, exchange: Exchange, caller: Caller, run_id: str, question_id: str
) -> None:
    """Answer ``POST {base}/runs/{id}/questions/{question}``: take the answer to a question."""
    message = await _take_answer(site, exchange, caller, run_id, question_id)
    await _confirm(exchange, run_id, {"question": question_id, "number": message.number})


async def send_message(site: Site, exchange: Exchange, caller: Caller, run_id: str) -> None:
    """Answer ``POST {base}/runs/{id}/inbox``: take a message for the run's action."""
    address, key = await site.app.inboxes.messages(run_id, caller), key_of(exchange)
    value = await _read(site, exchange, caller, address.kind.json_schema)
    message = await site.app.inboxes.put(address, value, key=key)
    await _confirm(exchange, run_id, {"number": message.number})


async def _confirm(exchange: Exchange, run_id: str, told: dict[str, Json]) -> None:
    if exchange.wants_page:
        headers = run_headers(run_id, exchange.base, exchange.links().query)
        await exchange.answer(303, headers=headers)
        return
    headers = run_headers(run_id, exchange.base)
    await exchange.answer_json(200, {"runId": run_id, **told}, headers)


async def _take_answer(
    site: Site, exchange: Exchange, caller: Caller, run_id: str, question_id: str
) -> Message:
    """Read the answer and hand it to the run; a form that is refused is shown again."""
    inboxes, key = site.app.inboxes, key_of(exchange)
    address = await inboxes.question(run_id, question_id, caller)
    question = (await site.app.fold(run_id)).questions.find(question_id)
    form = None if question is None else question_form(question, _here(exchange))
    value = await _read(site, exchange, caller, address.kind.json_schema, form)
    return await inboxes.put(address, value, key=key)


def _here(exchange: Exchange) -> str:
    return f"{exchange.root}{quote(exchange.path)}{exchange.links().query}"


async def _read(
    site: Site, exchange: Exchange, caller: Caller, schema: Schema, form: Form | None = None
) -> Json:
    limits, idle = site.request_limits, site.app.timing.body
    read = partial(read_input, exchange.headers, exchange.receive, schema, limits, idle)
    if form is not None and is_form(exchange):
        exchange.form = form
        read = partial(form.fill, read)
    value = await read()
    try:
        site.app.check(caller)  # it can have taken a while to arrive
    except BaseException:
        close_uploads(value)
        raise
    return value


# Links to one question, for somebody without an account.


async def show_link(site: Site, exchange: Exchange, caller: Caller, _signed: str) -> None:
    """Answer ``GET {base}/answers/{link}``: the question and its form. It answers nothing."""
    run_id, question_id = await _linked(site, caller)
    await site.app.inboxes.question(run_id, question_id, caller)
    question = (await site.app.fold(run_id)).questions.find(question_id)
    if question is None:
        raise NotFound("This question is no longer open.")
    if exchange.wants_page:
        await exchange.answer_page(link_page(question, exchange.root, _here(exchange)))
    else:
        await exchange.answer_json(200, {"question": question})


async def answer_link(site: Site, exchange: Exchange, caller: Caller, _signed: str) -> None:
    """Answer ``POST {base}/answers/{link}``: take the answer to the link's question."""
    run_id, question_id = await _linked(site, caller)
    await _take_answer(site, exchange, caller, run_id, question_id)
    if exchange.wants_page:
        await exchange.answer_page(sent_page(exchange.root))
    else:
        await exchange.answer_json(200, {"question": question_id})


async def _linked(site: Site, caller: Caller) -> tuple[str, str]:
    """Return the run and the question of a link, unless there are too many requests."""
    wait = await site.link_requests.wait_for(caller.quota_key)
    if wait > 0:
        raise RateLimited("Too many requests; wait a little.", retry_after=max(1.0, wait))
    grant = caller.grant
    if grant is None or grant.question is None:
        raise NotFound("This link is not for a question.")
    return grant.run_id, grant.question
