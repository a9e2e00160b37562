"""LoRA, on attention."""
