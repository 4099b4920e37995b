"""`python -m hstssim` is `hstssim`."""

import sys

from hstssim.cli import main

if __name__ == "__main__":
    sys.exit(main())
