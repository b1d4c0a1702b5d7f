"""Several newsletters together: everybody who may receive any of them, once."""
