"""Benchmarks: `python -m bench` measures and writes docs/benchmarks.md and its plot.

    content   the sample issues, rendered            ground    a database full of people
    sink      a server that takes all mail           cpu       CPU and memory of processes
    sending   `mailer worker` end to end             memory    one worker, short list and long
    peers     smtplib and aiosmtplib                 limits    openssl, bare INSERT
    stages    compose alone, ledger alone            rendering an issue, once for all readers
    report    figures -> page and plot               people    in and out: docs/benchmarks-people.md
    targets   the figures held to targets            gopeer    Go's net/smtp; smtpsource: Postfix's
    handing   finished messages, our own fleet       proxy     a line that takes its time
    crowd     a million people                       certificate   for a sink with TLS

Machines are shared and their speed moves: trust ratios within one run, and CPU over time.
"""
