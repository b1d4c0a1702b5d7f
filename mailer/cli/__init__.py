"""Entry: the command line."""
