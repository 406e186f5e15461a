"""A run from outside: its start, its input, its readers, its handle, and access to it."""
