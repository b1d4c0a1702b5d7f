"""Stage 4: a campaign goes out by SMTP, and the ledger says what happened."""
