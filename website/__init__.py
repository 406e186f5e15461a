"""The documentation site: the repository's own documents, made into pages by Zensical.

The documents stay as they are, so that they can be read in the repository as well: links keep
their targets, and a source file that one links to becomes a page. ``make site`` builds it.
"""
