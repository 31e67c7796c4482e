"""`python -m extract.signals`: the context signals as a service."""

import sys

from extract.starting import main

if __name__ == "__main__":
    sys.exit(main("signals"))
