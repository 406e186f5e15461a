"""The reference of names, which mkdocstrings generates from docstrings."""

from importlib import import_module
from typing import Final

MODULES: Final[dict[str, dict[str, list[str]]]] = {
    "yieldwire": {"yieldwire": []},
    "yieldwire.ai": {
        "yieldwire.ai": [],
        "yieldwire.ai.openai": ["chat_chunks", "response_chunks", "background_chunks"],
        "yieldwire.ai.anthropic": ["message_chunks"],
        "yieldwire.ai.claude_agent": ["agent_chunks"],
        "yieldwire.ai.pydantic_ai": ["agent_chunks"],
    },
    "yieldwire.client": {"yieldwire.client": []},
    "yieldwire.devtools": {"yieldwire.devtools": ["attach"]},
    "yieldwire.dialects": {"yieldwire.dialects": []},
    "yieldwire.errors": {"yieldwire.errors": []},
    "yieldwire.executors": {
        "yieldwire.executors": ["Executor"],
        "yieldwire.executors.docket": ["Docket"],
        "yieldwire.executors.procrastinate": ["Procrastinate"],
        "yieldwire.executors.engine": ["Engine"],
    },
    "yieldwire.hooks": {"yieldwire.hooks": ["Hooks"]},
    "yieldwire.integrations": {
        "yieldwire.integrations.aiohttp": ["mount"],
        "yieldwire.integrations.django": ["mount"],
        "yieldwire.integrations.fastapi": ["mount"],
        "yieldwire.integrations.litestar": ["ActionsPlugin"],
        "yieldwire.integrations.opentelemetry": ["metrics", "tracing"],
        "yieldwire.integrations.prometheus": ["metrics"],
        "yieldwire.integrations.quart": ["mount"],
        "yieldwire.integrations.starlette": ["mount"],
    },
    "yieldwire.stores": {
        "yieldwire.stores": ["Query", "Store", "Leases"],
        "yieldwire.stores.memory": ["MemoryStore"],
        "yieldwire.stores.sqlite": ["SQLiteStore"],
        "yieldwire.stores.redis": ["RedisStore"],
        "yieldwire.stores.postgres": ["PostgresStore"],
    },
    "yieldwire.testing": {"yieldwire.testing": []},
    "yieldwire.webhooks": {"yieldwire.webhooks": ["Webhook"]},
}
"""The names on each page, by the module that has them; an empty list is what it exports."""


CONTRACTED: Final = frozenset(
    {
        "yieldwire.executors.docket",
        "yieldwire.executors.procrastinate",
        "yieldwire.stores.memory",
        "yieldwire.stores.postgres",
        "yieldwire.stores.redis",
        "yieldwire.stores.sqlite",
    }
)
"""The modules whose class has the methods of a contract, which its own page describes."""


def reference() -> dict[str, str]:
    """Return the text of every page of the reference by its path."""
    return {f"docs/reference/api/{title}.md": _page(title) for title in MODULES}


def _page(title: str) -> str:
    listed = [
        f"::: {module}.{name}\n" + ("    options:\n      members: false\n" * (module in CONTRACTED))
        for module, names in MODULES[title].items()
        for name in names or import_module(module).__all__
    ]
    return "\n".join([f"# `{title}`\n", *listed])
