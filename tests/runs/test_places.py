"""A place is of use while the server has the object store in which it is."""

from hashlib import sha256

import pytest

from tests.support.direct import SECRET, DirectStore
from yieldwire.actions.action import Action, Options
from yieldwire.actions.upload import Upload
from yieldwire.clock import SystemClock
from yieldwire.errors import NotFound, ValidationFailed
from yieldwire.runs.access import Caller
from yieldwire.runs.files import RunFiles
from yieldwire.runs.places import Places
from yieldwire.runs.signing import Signer
from yieldwire.runs.start import StartRequest
from yieldwire.stores import RunStore
from yieldwire.stores.direct import NewFile
from yieldwire.stores.memory import MemoryStore

FILE = NewFile(sha256=sha256(b"hello").hexdigest(), size=5, content_type="text/csv")


async def take(file: Upload) -> None: ...


def request() -> StartRequest:
    caller = Caller(owner="ada")
    return StartRequest(action=Action(take, Options()), caller=caller, key="k")


def places_of(store: RunStore, secret: str | None = SECRET) -> Places:
    return Places(RunFiles(store), Signer(secret, None), SystemClock())


async def test_a_place_names_the_run_of_its_start() -> None:
    places = places_of(DirectStore())

    place = await places.reserve("r1", request(), [FILE])

    assert places.are_offered
    assert places.run_id_of(place.signed, request()) == "r1"
    assert [each.url for each in place.uploads] == [
        f"https://bucket.test/r1/{FILE.sha256}?expires=3600"
    ]


@pytest.mark.parametrize(
    "places", [places_of(MemoryStore()), places_of(DirectStore(), None)], ids=["store", "secret"]
)
async def test_a_server_without_an_object_store_or_a_secret_has_no_places(places: Places) -> None:
    assert not places.are_offered
    with pytest.raises(NotFound, match="only be sent with the start"):
        await places.reserve("r1", request(), [FILE])


async def test_a_file_is_not_found_when_the_object_store_is_no_longer_used() -> None:
    with pytest.raises(ValidationFailed, match="was not uploaded"):
        await places_of(MemoryStore()).find("r1", FILE)
