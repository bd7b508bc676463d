"""`python -m hypermm`."""

import sys

from hypermm.cli import main

if __name__ == "__main__":
    sys.exit(main())
