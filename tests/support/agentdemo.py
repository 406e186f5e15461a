"""The demo, whose actions are tools for agents."""

from starlette.applications import Starlette
from starlette.routing import Mount

from examples.demo import actions
from yieldwire.dialects import MCP

app = Starlette(routes=[Mount("/mcp", MCP(actions))], lifespan=actions.lifespan)
