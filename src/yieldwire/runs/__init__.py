"""A run from outside: its start, its input, its readers, its handle, and who may touch it."""
