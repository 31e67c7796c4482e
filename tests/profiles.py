"""How many examples property tests try: the ordinary number, and the number of a soak."""

from hypothesis import HealthCheck, Phase, settings

SOAK = "soak"

# Every run tries the same examples, however slow the machine is: other ones are for the soak to find.
settings.register_profile(
    "default", deadline=None, print_blob=True, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    SOAK, deadline=None, print_blob=True, max_examples=1000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")


def examples(share: float) -> settings:
    """Return settings with `share` of the examples that the profile tries, for a test that is slower than others."""
    chosen = settings.get_current_profile_name()
    return settings(max_examples=max(1, round(share * settings.get_profile(chosen).max_examples)))


def walks(share: float, steps: int) -> settings:
    """Return settings for random walks of so many steps; one that fails is shrunk, for minutes, in a soak only."""
    is_soak = settings.get_current_profile_name() == SOAK
    phases = list(Phase) if is_soak else [Phase.explicit, Phase.generate]
    return settings(examples(share), stateful_step_count=steps, phases=phases)
