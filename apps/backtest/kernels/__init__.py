"""The loops that fuse a strategy with the kernels of `trading`."""
