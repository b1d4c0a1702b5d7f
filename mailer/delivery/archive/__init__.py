"""Old ledgers rolled up: one row of sums where there were three rows a copy."""
