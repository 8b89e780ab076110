"""`python -m fieldpost` is `fieldpost`."""

from fieldpost.cli import main

main()
