"""Stage 3: a rendering is frozen, given an audience and a time."""
