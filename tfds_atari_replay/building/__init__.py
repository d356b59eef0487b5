"""How datasets are built."""
