"""`python -m extract.execution`: the context execution as a service."""

import sys

from extract.starting import main

if __name__ == "__main__":
    sys.exit(main("execution"))
