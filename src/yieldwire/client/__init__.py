"""The five verbs over HTTP, for services, scripts and terminals. Imports no server code."""

from yieldwire.client.asynchronous import AsyncClient as AsyncClient
from yieldwire.client.blocking import BlockingRun as BlockingRun
from yieldwire.client.blocking import Client as Client
from yieldwire.client.patience import Patience as Patience
from yieldwire.client.run import RemoteRun as RemoteRun
