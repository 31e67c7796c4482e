"""What carries a context out of the app: the runner of services, each a context in a process of its own."""
