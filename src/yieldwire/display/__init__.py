"""Progress for people who run Python themselves: in a terminal, or in a notebook."""
