"""Who asked by a form to get a newsletter: kept first, looked at later.

So the answer, and the time it takes, tell nobody whether an address is known here.
"""
