"""Numbers in the bodies of calls."""

from decimal import Decimal, InvalidOperation
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


@extend_schema_field({"type": "string", "pattern": r"^-?\d{1,12}(\.\d{1,9})?$", "examples": ["-0.1"]})
class Number(serializers.CharField):
    """A decimal, as a string, so that nothing is rounded on its way."""

    def __init__(self, *, is_signed: bool = False, may_be_zero: bool = False, **more: Any) -> None:
        super().__init__(max_length=24, **more)
        self._is_signed = is_signed
        self._may_be_zero = may_be_zero

    def to_internal_value(self, data: Any) -> str:
        """Return it. Raises ValidationError."""
        if not isinstance(data, str):
            raise serializers.ValidationError('Write it as a string: "0.1".')
        try:
            number = Decimal(data)
        except InvalidOperation:
            number = Decimal("nan")
        if not number.is_finite() or "e" in data.lower() or abs(number) >= 10**12 or not (number or self._may_be_zero):
            raise serializers.ValidationError('It is no decimal such as "0.1".')
        if number < 0 and not self._is_signed:
            raise serializers.ValidationError("It is not above 0.")
        return data.strip()
