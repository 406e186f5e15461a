"""``python -m yieldwire.cli``, if the script is not on the path."""

from yieldwire.cli import main

main()
