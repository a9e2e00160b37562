"""The benchmarks and the sources of their videos. After its manifest nothing is special about a benchmark."""
