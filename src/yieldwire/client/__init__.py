"""The five verbs over HTTP, for services, scripts and terminals. Imports no server code."""

from yieldwire.client.asynchronous import AsyncClient
from yieldwire.client.blocking import Client
from yieldwire.client.blockingrun import BlockingRun
from yieldwire.client.patience import Patience
from yieldwire.client.run import RemoteRun

__all__ = [
    "AsyncClient",
    "BlockingRun",
    "Client",
    "Patience",
    "RemoteRun",
]
