"""The arithmetic of execution: arrays of accounts in, arrays of decisions out."""
