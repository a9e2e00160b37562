"""How the keys of the config are declared: what each means and decides. A leaf: records of methods and sections import it."""
