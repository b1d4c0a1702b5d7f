"""What monitoring asks every few seconds."""
