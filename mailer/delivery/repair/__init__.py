"""Repairs by a person: unknown copies settled, copies sent again, old ledgers rolled up."""
