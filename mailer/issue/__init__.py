"""Stage 1: an issue file becomes a ParsedIssue."""
