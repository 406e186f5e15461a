"""Play the seeds that are named: ``python -m tests.simulation 17``."""

import logging
import sys

from tests.simulation.play import simulate

logging.basicConfig(level=logging.INFO)  # noqa: TID251 - a program, not a library
for seed in sys.argv[1:]:
    simulate(int(seed))
