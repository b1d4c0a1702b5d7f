"""Which lane a domain's mail goes by, beyond the well-known ones: found by its MX records."""
