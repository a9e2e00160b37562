"""The command `fsar`: one file for each of its sub-commands."""
