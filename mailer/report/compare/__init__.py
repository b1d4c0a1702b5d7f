"""Issues side by side."""
