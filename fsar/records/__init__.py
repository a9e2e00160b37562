"""Records: what a run measured and from what, in one small file that travels without videos or weights."""
