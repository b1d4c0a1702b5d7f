"""News for the user's own systems, written in the transaction of what they tell."""
