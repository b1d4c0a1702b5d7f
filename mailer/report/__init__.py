"""Stage 6: what happened becomes figures."""
