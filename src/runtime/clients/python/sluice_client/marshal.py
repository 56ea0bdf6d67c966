"""JSON in, and JSON out as Lambda's client writes it, which uses simplejson."""

import json
import os
import re
import sys

from .errors import HandlerError

SCALARS = frozenset((str, int, float, bool, type(None)))
#: From this version on Lambda leaves other letters than ASCII's as they are.
FIRST_UNESCAPED = 12


def from_json(body):
    try:
        return json.loads(body)
    except Exception as error:
        raise HandlerError("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from error


def _needs_plain(value):
    """Whether the standard library's encoder would write it otherwise than simplejson does."""
    kind = type(value)
    if kind is dict:
        for key, each in value.items():
            if type(key) is bytes or type(each) not in SCALARS and _needs_plain(each):
                return True
        return False
    if kind is list or kind is tuple:
        return any(type(each) not in SCALARS and _needs_plain(each) for each in value)
    if isinstance(value, (list, dict)):
        return True
    return isinstance(value, bytes) or callable(getattr(value, "_asdict", None))


def _plain(value):
    """Bytes as text and named tuples as objects, however deep."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [_plain(each) for each in value]
    as_dict = getattr(value, "_asdict", None)
    if callable(as_dict):
        value = as_dict()
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {_plain(key) if type(key) is bytes else key: _plain(each) for key, each in value.items()}
    return value


def _simplified(result):
    try:
        return _plain(result) if _needs_plain(result) else result
    except RecursionError:
        # The encoder says it better, and knows a circle from depth.
        return result


class Marshaller:
    def __init__(self, environment):
        named = re.fullmatch(r"AWS_Lambda_python3\.(\d+)", environment.get("AWS_EXECUTION_ENV", ""))
        is_escaped = named is not None and int(named[1]) < FIRST_UNESCAPED
        self._encoder = json.JSONEncoder(ensure_ascii=is_escaped, default=self._default)
        self._mark = ""

    def to_body(self, result):
        """The body and its type. Raises `Runtime.MarshalError`."""
        if isinstance(result, bytes):
            return result, "application/unknown"
        try:
            self._mark = ""
            text = self._encoder.encode(_simplified(result))
            if self._mark:
                text = re.sub(f'"{self._mark}([^"]*)"', r"\1", text)
            return text.encode(), "application/json"
        except Exception as error:
            raise HandlerError(
                "Runtime.MarshalError", f"Unable to marshal response: {error}"
            ) from error

    def _default(self, value):
        """
        Decimals keep their digits: the encoder knows no raw text, so they go as strings that begin
        with a mark that nobody can guess, and lose mark and quotes afterwards.
        """
        decimal = sys.modules.get("decimal")
        if decimal and isinstance(value, decimal.Decimal):
            self._mark = self._mark or os.urandom(16).hex()
            return f"{self._mark}{'NaN' if value.is_nan() else value}"
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
