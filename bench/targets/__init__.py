"""The figures that Pressrun is held to: each with its target, what was measured, met or not.

model      a line of the table, a figure          signed     RSA, two processes, unsigned, TLS
carried    transport, and a far relay             kept       memory, the database's CPU
snapshot   a million recipients                   run        all of them, or one, into a table
"""
