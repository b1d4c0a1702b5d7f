"""The reputation fuse: a campaign whose figures turn bad waits for a person."""
