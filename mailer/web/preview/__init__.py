"""`mailer issue preview`: an issue as its readers will get it, on a page that follows each save."""
