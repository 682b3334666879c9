"""The platform on several hosts: each a network namespace with an address of its own.

    make hosts

Two application servers and a worker share one PostgreSQL and one Redis. Clients are at work on both
servers when one of them is killed. Needs Linux, root and the program `ip` (Debian: iproute2); so it
is a command of its own and no part of `make test`.
"""
