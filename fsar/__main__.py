"""`python -m fsar` is the command `fsar`."""

import sys

from fsar.cli.main import main

sys.exit(main())
