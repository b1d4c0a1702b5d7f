"""Campaigns for the readers of several newsletters: by whose consent each copy goes."""
