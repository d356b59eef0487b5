"""Which windows of frames an episode has, and how frames are stacked."""
