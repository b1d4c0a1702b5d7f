"""Issues that are being sent and stand still."""
