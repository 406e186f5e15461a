"""Dialects: clients of other systems call the same actions, unmodified."""

from yieldwire.dialects.a2a import A2A
from yieldwire.dialects.agui import AGUI
from yieldwire.dialects.ailegacy import AILegacy
from yieldwire.dialects.aisdk import AISDK
from yieldwire.dialects.aitext import AIText
from yieldwire.dialects.call import ForeignCall, RunOutcome
from yieldwire.dialects.datastar import Datastar
from yieldwire.dialects.dialect import Dialect
from yieldwire.dialects.durable import DurableStreams
from yieldwire.dialects.head import Head, Reply
from yieldwire.dialects.htmx import HTMX
from yieldwire.dialects.mcp import MCP
from yieldwire.dialects.nuxt import NuxtActions
from yieldwire.dialects.orpc import ORPC
from yieldwire.dialects.rsc import RSC
from yieldwire.dialects.tanstack import TanStackStart
from yieldwire.dialects.translation import DialectEncoder
from yieldwire.dialects.trpc import TRPC

__all__ = [
    "A2A",
    "AGUI",
    "AISDK",
    "HTMX",
    "MCP",
    "ORPC",
    "RSC",
    "TRPC",
    "AILegacy",
    "AIText",
    "Datastar",
    "Dialect",
    "DialectEncoder",
    "DurableStreams",
    "ForeignCall",
    "Head",
    "NuxtActions",
    "Reply",
    "RunOutcome",
    "TanStackStart",
]
