"""JSON in, JSON out."""

import json
import sys

from .errors import HandlerError


def from_json(body):
    try:
        return json.loads(body)
    except ValueError as error:
        raise HandlerError("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from error


def _number(value):
    """Decimals are numbers; the module is not imported for those who don't use it."""
    decimal = sys.modules.get("decimal")
    if decimal and isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def to_json(result):
    try:
        return json.dumps(result, ensure_ascii=False, default=_number).encode()
    except (TypeError, ValueError) as error:
        raise HandlerError(
            "Runtime.MarshalError", f"Unable to marshal response: {error}"
        ) from error
