"""A config.yaml that Snakemake cannot read, or would answer with a traceback."""

import pytest

from fsar.errors import UserError
from fsar.yaml_file import check_readable
from tests.helpers.dry_runs import dry_runs


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"run:\n  methods: [\xe9]\n", "is not UTF-8 in line 2: save it"),
        (b"run: &a\n  x: [1, *a]\n", "has an anchor that holds itself, at line 1"),
        (b"a: &a\n  x: 1\nrun: *a\nother: *a\n", ""),
        (b"run: [", ""),  # Snakemake tells
        (b"", ""),
    ],
)
def test_what_is_wrong_is_told(tmp_path, content, wrong):
    (file := tmp_path / "config.yaml").write_bytes(content)
    if not wrong:
        check_readable(file)
        return
    with pytest.raises(UserError, match=wrong):
        check_readable(file)


def test_a_folder_is_no_config(tmp_path):
    with pytest.raises(UserError, match=r"config.yaml cannot be read: Is a directory"):
        (tmp_path / "config.yaml").mkdir()
        check_readable(tmp_path / "config.yaml")


def test_a_run_begins_with_it(repository, tmp_path):
    (tmp_path / "config.yaml").write_bytes(b"\xff")
    (output,) = dry_runs(repository, [["--directory", str(tmp_path)]])
    assert "config.yaml is not UTF-8 in line 1" in output and "Traceback" not in output
