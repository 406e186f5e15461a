"""Host frameworks: one line mounts an application of actions in another one's."""
