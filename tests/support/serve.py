"""The program that `ProcessServer` starts: serve ``module:attribute`` on an inherited socket."""

import logging
import resource
import socket
import sys

import uvicorn

from tests.support.server import config_of


def serve(target: str, fd: int) -> None:
    """Serve until SIGTERM comes."""
    logging.basicConfig(level=logging.INFO)  # noqa: TID251 - a program, not a library
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvicorn.Server(config_of(target)).run(sockets=[socket.socket(fileno=fd)])


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
