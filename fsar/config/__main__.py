"""`python -m fsar.config schema`, `docs` or `methods` prints or writes what is generated from keys and records."""

import argparse

from fsar.config.document import generate

parser = argparse.ArgumentParser("python -m fsar.config", description=__doc__)
parser.add_argument("what", choices=["schema", "docs", "methods"])
generate(parser.parse_args().what)
