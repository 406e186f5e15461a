"""What a developer declares: actions, their signatures, guards, middleware and resources.

Nothing in this package knows where an action runs or how it is called.
"""
