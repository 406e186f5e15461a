"""``python -m yieldwire.cli``, for where the script is not on the path."""

from yieldwire.cli import main

main()
