"""The published benchmarks, as records without code of downloads or files: the config names them, sources read them."""
