"""`python -m fieldpost` is `fieldpost`."""

from fieldpost.start import main

main()
