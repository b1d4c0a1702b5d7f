"""Stage 5b: what mail and links bring back becomes Events."""
