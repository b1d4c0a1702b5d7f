"""Other content for a campaign that has not started."""
