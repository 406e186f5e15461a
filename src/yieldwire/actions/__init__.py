"""What a developer declares: actions, their signatures, guards, middleware and resources.

Nothing on this floor knows where an action runs or how it is called.
"""
