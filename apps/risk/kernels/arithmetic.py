"""Products of whole numbers that 64 bits do not hold, exactly."""

from trading.compiled import inner_kernel

E9 = 1_000_000_000
LARGEST = 2**62
_LIMB = 30
_MASK = 2**30 - 1


@inner_kernel
def _limbs(a: int, b: int) -> tuple[int, int, int]:
    """Return a x b as (high, middle, low) in base 2**30; both are from 0 to 2**60 - 1."""
    a_high, a_low, b_high, b_low = a >> _LIMB, a & _MASK, b >> _LIMB, b & _MASK
    low = a_low * b_low
    middle = a_high * b_low + a_low * b_high + (low >> _LIMB)
    return a_high * b_high + (middle >> _LIMB), middle & _MASK, low & _MASK


@inner_kernel
def is_above(part: int, bound_e9: int, whole: int) -> bool:
    """Return whether `part` is more than `bound_e9` billionths of `whole`; each is from 0 to 2**60 - 1."""
    high, middle, low = _limbs(part, E9)
    bound_high, bound_middle, bound_low = _limbs(bound_e9, whole)
    if high != bound_high:
        return high > bound_high
    if middle != bound_middle:
        return middle > bound_middle
    return low > bound_low


@inner_kernel
def share_e9(part: int, whole: int) -> int:
    """Return part / whole in billionths, rounded up; at most 2**62. `part` >= 0, `whole` from 1 to 2**59."""
    share = part // whole
    rest = part % whole
    if share >= LARGEST // E9:
        return LARGEST
    for _ in range(9):
        rest *= 10
        share = 10 * share + rest // whole
        rest %= whole
    return share + (1 if rest else 0)


@inner_kernel
def billionths_of(amount: int, rate_e9: int) -> int:
    """Return `rate_e9` billionths of `amount`, rounded up; `amount` is from 0 to 2**58, `rate_e9` to 10**9."""
    return (amount // E9) * rate_e9 + ((amount % E9) * rate_e9 + E9 - 1) // E9
