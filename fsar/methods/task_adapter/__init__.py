"""Task-Adapter++."""
