"""Matching: how far a query video is from a class. One file per metric, named as methods name it."""
