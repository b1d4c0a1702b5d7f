"""What the ledger and the intake keep of people, handed out and taken away."""
