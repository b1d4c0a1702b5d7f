"""Everything in an open format: JSON lines and a manifest, and back again.

A backup is for this program; an export is for whoever comes after it. docs/export.md tells the
format.
"""
