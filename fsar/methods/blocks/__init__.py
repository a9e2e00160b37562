"""The heads: what each method does with what the backbone gives. A head is one file here; docs/methods.md adds one."""
