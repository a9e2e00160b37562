"""`python -m fsar.config schema`, `docs` or `methods` prints or writes what is generated from keys and records."""

import sys

from fsar.config.document import main

main(sys.argv[1:])
