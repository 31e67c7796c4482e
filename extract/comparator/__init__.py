"""The comparator: what a follower would have decided, row by row against what its leader has."""
