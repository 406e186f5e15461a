"""A real S3 server on loopback: one in each test process that needs it."""

import logging
import os
from collections.abc import Mapping
from functools import cache
from uuid import uuid4

from yieldwire.clock import SystemClock
from yieldwire.stores.objects import ObjectBlobs


@cache
def s3_environment() -> Mapping[str, str]:
    """Return the variables with which a process finds the server; this one has them now."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - it takes seconds to import

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    found = {
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    os.environ.update(found)
    return found


@cache
def s3_blobs() -> ObjectBlobs:
    """Return what keeps files in a bucket of the server."""
    s3_environment()
    blobs = ObjectBlobs.at(f"s3://test-{uuid4().hex}", SystemClock())
    blobs.filesystem.mkdir(blobs.root)
    return blobs


def prefix_url() -> str:
    """Return the URL of a new prefix in that bucket."""
    return f"s3://{s3_blobs().root}/{uuid4().hex}"
