"""Stage 5a: a provider's words become Events."""
