"""The columns of manifests and inventories, for their readers; separate from the code that writes them."""

import pyarrow as pa

MANIFEST_SCHEMA = pa.schema(
    [
        ("video_id", pa.string()),  # unique in the benchmark: the id its list gives, or the path as it is listed
        # Relative to the working directory where it lies below it, absolute elsewhere; bytes that are not UTF-8 are
        # written as `fsar.files.readable` does.
        ("path", pa.string()),
        ("class_name", pa.string()),  # as written in prompts, in one spelling
        ("split", pa.string()),  # train, val or test
        ("source", pa.string()),  # the list that named the video
        ("group", pa.string()),  # the film or recording that the video is a part of; empty if it is one by itself
    ]
)
INVENTORY_SCHEMA = pa.schema(
    [
        ("folder", pa.string()),  # the folder the file lies in, which names its class in some data sets
        ("file", pa.string()),
        ("path", pa.string()),  # relative to the working directory where it lies below it, absolute elsewhere
        ("bytes", pa.int64()),
    ]
)
