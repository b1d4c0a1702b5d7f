"""People of a range, as deliveries in chunks: by lane, and by when their own clocks say so."""
