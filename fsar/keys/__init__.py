"""How a key of the config is declared: what it means and decides. A leaf, which records and sections import."""
