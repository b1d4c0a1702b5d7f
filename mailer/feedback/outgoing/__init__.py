"""News to the user's own systems: signed, tried for a day, in the end given up."""
