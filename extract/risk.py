"""`python -m extract.risk`: the context risk as a service."""

import sys

from extract.starting import main

if __name__ == "__main__":
    sys.exit(main("risk"))
