"""Entry: dramatiq, which wakes the workers."""
