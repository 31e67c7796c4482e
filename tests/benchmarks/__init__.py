"""The speed of Banyan beside its peers and beside plain C: `python -m tests.benchmarks --help`.

Every engine does the same work on the same arrays in a process of its own, and what it found is compared with what we
found, so that nobody is fast by doing less.
"""
