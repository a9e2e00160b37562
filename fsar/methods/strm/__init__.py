"""STRM."""
