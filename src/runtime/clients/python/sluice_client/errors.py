"""Failures in the form that callers and logs of Lambda know."""

import os
import sys
import traceback

CLIENT_DIRECTORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class HandlerError(Exception):
    """A handler that cannot be used, under Lambda's name for the reason."""

    def __init__(self, kind, message, stack=()):
        super().__init__(message)
        self.kind = kind
        self.stack = list(stack)


def frames_of(error):
    """The stack of the function's own code: this client's frames and the importer's are left out."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame
        for frame in frames
        if not frame.filename.startswith((CLIENT_DIRECTORY, "<frozen importlib"))
        and "/importlib/" not in frame.filename
    ]
    return traceback.format_list(own)


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


def print_failure(described):
    """One line of the log: line ends within it are carriage returns."""
    text = f"[ERROR] {described['errorType']}: {described['errorMessage']}"
    if described["stackTrace"]:
        text += "\nTraceback (most recent call last):\n" + "".join(described["stackTrace"])
    sys.stdout.write(text.rstrip("\n").replace("\n", "\r") + "\n")
    sys.stdout.flush()
