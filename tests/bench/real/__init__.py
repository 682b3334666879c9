"""The graph methods on real data: what they predict, beside the baselines of the protocols.

Each module ``b<number>_<subject>.py`` follows one protocol of the oracle file (``benchmarks``) and
has ``run(data: Path) -> list[Result]``. Nothing is fitted on test rows.
"""
