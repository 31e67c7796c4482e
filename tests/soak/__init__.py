"""Property tests for much longer: `python -m tests.soak`."""
