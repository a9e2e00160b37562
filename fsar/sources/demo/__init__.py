"""The demo benchmark: rendered videos of moving shapes, so that the whole workflow runs anywhere in minutes."""
