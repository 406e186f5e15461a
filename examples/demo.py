"""All the examples in one application: what ``make demo`` serves.

An application can include the actions of others, so that each part has its own file.
Run it from the top of the repository::

    yieldwire dev examples/demo.py
"""

from examples import batch, clock, import_airports, typewriter
from yieldwire import Actions

actions = Actions()
for example in (import_airports, typewriter, batch, clock):
    actions.include(example.actions)
