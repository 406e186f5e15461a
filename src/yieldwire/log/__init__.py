"""What a run writes down, as pure data: events, chunks, cursors, run records, snapshots.

Nothing in this package does I/O or waits. `run` holds the one table of a run's life, and
`transitions` the steps that a store takes in it.
"""
