"""TEAM."""
