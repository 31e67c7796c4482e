"""`python -m extract.feeds`: the context feeds as a service."""

import sys

from extract.starting import main

if __name__ == "__main__":
    sys.exit(main("feeds"))
