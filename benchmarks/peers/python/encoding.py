"""JSON where a framework leaves it to the application.

It is the standard library's, as the frameworks' documentation has it, or orjson where
`BENCH_JSON` says so: what an encoder alone gives is a row of its own.
"""

import json
import os

import orjson


def standard(value: object) -> bytes:
    return json.dumps(value).encode()


encode = orjson.dumps if os.environ.get("BENCH_JSON") == "orjson" else standard
