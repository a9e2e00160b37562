"""Naming the actions in one's own clips: a trained model, a few examples per class, and labels for new clips."""
