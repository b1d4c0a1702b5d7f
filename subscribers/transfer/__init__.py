"""People in and out: CSV, JSON lines and other services' exports, in flat memory.

file ─source, sheet→ cells ─profile, header, row→ Entry ─importing→ database ─exporting→ file
"""
