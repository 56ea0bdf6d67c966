"""Failures in the form that callers and logs of Lambda know."""

import os
import traceback

CLIENT_DIRECTORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class HandlerError(Exception):
    """What is wrong with a handler, under Lambda's name for it."""

    def __init__(self, kind, message, stack=()):
        super().__init__(message)
        self.kind = kind
        self.stack = list(stack)


def _is_ours(frame):
    return frame.filename.startswith(CLIENT_DIRECTORY)


def frames_of(error):
    """The stack from where this client ends, and without marks below the lines."""
    frames = traceback.extract_tb(error.__traceback__)
    first = next((at for at, frame in enumerate(frames) if not _is_ours(frame)), 0)
    return traceback.format_list(
        [(frame.filename, frame.lineno, frame.name, frame.line) for frame in frames[first:]]
    )


def describe(error, request_id):
    """The body that the Runtime API is given, and the caller."""
    if isinstance(error, HandlerError):
        kind, stack = error.kind, error.stack
    else:
        kind, stack = type(error).__name__, frames_of(error)
    return {
        "errorMessage": str(error),
        "errorType": kind,
        "requestId": request_id or "",
        "stackTrace": stack,
    }
