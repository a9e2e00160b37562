"""The demo benchmark: shapes that do something, rendered, so that the whole workflow runs anywhere in minutes."""
