"""The first hour and three weeks of a new user: told once, played by a test, printed as a page."""
