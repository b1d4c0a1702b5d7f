"""Segments: people described in a small language that can't say anything unsafe.

words ─tokens→ tokens ─parse→ tree ─compile→ a condition that audiences join
"""
