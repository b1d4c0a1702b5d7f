"""Plots as plain values: geometry without a word of SVG or of a terminal."""
