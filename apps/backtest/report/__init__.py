"""Reports of runs: one self-contained HTML file, or one picture."""
