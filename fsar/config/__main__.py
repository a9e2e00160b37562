"""`python -m fsar.config schema` and `python -m fsar.config docs` print what is generated from the declared keys."""

import argparse
import json

from fsar.config.document import documentation, schema

parser = argparse.ArgumentParser(prog="python -m fsar.config", description="Print what is generated from the keys.")
parser.add_argument("what", choices=["schema", "docs"], help="the JSON schema of config.yaml, or docs/config.md")
what = parser.parse_args().what
print(json.dumps(schema(), indent=2, ensure_ascii=False) if what == "schema" else documentation())
