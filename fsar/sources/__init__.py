"""The benchmarks: what they are and where their videos come from. Everything special about one ends in its manifest."""
