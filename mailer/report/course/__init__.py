"""How far a campaign had come when, and in which lanes, counted by the database."""
