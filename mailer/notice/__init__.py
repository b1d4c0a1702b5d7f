"""The service's own mail: confirmation, welcome, goodbye, alarms; deliveries of kind `notice`.

A notice travels the whole way of an issue's copy, gate and ledger included. Its campaign is one
day's notices of one kind in one language.
"""
