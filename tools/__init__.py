"""What `make docs` and `make pictures` run: programs that write files of this repository."""
