"""Dialects: clients of other systems call the same actions, unmodified."""

from yieldwire.dialects.call import ForeignCall, Head, Reply, RunOutcome
from yieldwire.dialects.dialect import Dialect
from yieldwire.dialects.nuxt import NuxtActions
from yieldwire.dialects.rsc import RSC
from yieldwire.dialects.tanstack import TanStackStart
from yieldwire.dialects.translation import DialectEncoder

__all__ = [
    "RSC",
    "Dialect",
    "DialectEncoder",
    "ForeignCall",
    "Head",
    "NuxtActions",
    "Reply",
    "RunOutcome",
    "TanStackStart",
]
