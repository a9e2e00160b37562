"""`python -m fsar.config schema` and `python -m fsar.config docs` print what is generated from the declared keys."""

import sys

from fsar.config.document import main

main(sys.argv[1:])
