"""The people who may receive a newsletter, looked at as a whole."""
