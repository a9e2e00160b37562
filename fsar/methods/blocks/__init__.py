"""What several methods share: metrics, attention, tuples, positions, layers of adapters."""
