"""Addresses and domains that must never be mailed, whoever brings them in again."""
