"""What the process of a strategy set may take, in the app and in a service of its own."""

from settings.env import Environment, whole_number


def limits_of_sets(environment: Environment) -> tuple[int, int]:
    """Return how many megabytes of its own it may have, and how much of a core, in percent."""
    megabytes = environment.read("BANYAN_SET_MEMORY_MB", whole_number(16, 65_536), example="256", default=256)
    percent = environment.read("BANYAN_SET_CPU_PERCENT", whole_number(1, 6_400), example="100", default=100)
    return megabytes, percent
