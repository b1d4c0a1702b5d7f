"""Which campaigns are late (decision 6), judged where copies wait for their time by chunk."""
