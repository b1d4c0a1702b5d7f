"""People in and out: import of CSV, export of CSV and JSON lines, both in flat memory.

file ─sheet→ cells ─header, row→ Entry ─importing→ database ─exporting→ file
"""
