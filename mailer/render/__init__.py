"""Stage 2: a ParsedIssue becomes MJML, then HTML and plain text with slots."""
