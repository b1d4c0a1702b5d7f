"""How often a campaign was opened and clicked, raw and by people."""
