"""Who: the people, their state and what happened to them. Imports nothing from ``mailer``."""
