"""Addresses that may be alive and yet no reader's: roles, disposable ones, slips of the finger."""
