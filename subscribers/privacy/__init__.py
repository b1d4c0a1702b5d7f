"""What is kept of people, for how long, and how it is handed out and taken away."""
