"""What azd runs before and after a deployment."""

import sys

LOWEST_PYTHON = (3, 11)

# Here, because it is read before anything that an older one stumbles over: macOS brings 3.9 as python3.
if sys.version_info < LOWEST_PYTHON:
    sys.exit(
        "What azd runs before a deployment needs Python 3.11 or newer, and this is "
        + sys.version.split()[0]
        + ": install a newer one, and put it first on the path."
    )
