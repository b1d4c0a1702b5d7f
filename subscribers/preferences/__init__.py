"""What people set about themselves."""
