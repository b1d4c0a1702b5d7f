"""Entry: HTTP."""
