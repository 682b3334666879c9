"""Measurements, run by `make bench` or `python -m tests.bench [name …]`.

A bench is a module `bench_<name>` here with a function `run()` that prints its lines. It measures
its peers in the same run and prints ratios: absolute figures are only as good as the machine.
"""
