"""Which windows of frames an episode has."""
