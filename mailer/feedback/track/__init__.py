"""Opens and clicks: who looked, as far as one can tell, and what is kept of it."""
