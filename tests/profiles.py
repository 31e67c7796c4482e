"""How many examples property tests try: the ordinary number, and the number of a soak."""

from hypothesis import HealthCheck, settings

SOAK = "soak"

settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile(
    SOAK, deadline=None, print_blob=True, max_examples=1000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")


def examples(share: float) -> settings:
    """Return settings with `share` of the examples that the profile tries, for a test that is slower than others."""
    chosen = settings.get_current_profile_name()
    return settings(max_examples=max(1, round(share * settings.get_profile(chosen).max_examples)))
