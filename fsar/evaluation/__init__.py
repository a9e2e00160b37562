"""Evaluation: features once per video, then every episode on the features, then statistics."""
