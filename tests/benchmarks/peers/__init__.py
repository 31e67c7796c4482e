"""The peers, each doing the same work by its fastest public route."""
