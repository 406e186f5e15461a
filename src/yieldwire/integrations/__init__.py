"""Host frameworks, and what watches an application: one line for each."""
