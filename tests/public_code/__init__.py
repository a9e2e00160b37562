"""How the tensors of each method's public code are run through our head: one file per method, with a function `run`."""
