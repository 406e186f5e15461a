"""The live view of a server's runs: what is known, how it looks, the keys, and the session."""
