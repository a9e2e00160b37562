"""Results: tables and figures, beside the published numbers."""
