"""Reports as pages of their own: HTML with SVG, no scripts, nothing from elsewhere."""
