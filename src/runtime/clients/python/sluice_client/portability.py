"""Tells of what works here and fails on Lambda."""

import logging
import threading

from .errors import HandlerError

INVOKES_LOOKED_AT = 16
LEFT_RUNNING = (
    "The handler has answered, and threads of it go on: Lambda freezes them until the next invoke"
)


def _working():
    """Threads that somebody would wait for; those of a pool wait for work themselves."""
    return sum(
        not thread.daemon and not thread.name.startswith("ThreadPoolExecutor")
        for thread in threading.enumerate()
    )


class Portability:
    """Looks at the first invokes, or at all of them and throws, if it is strict."""

    def __init__(self, is_strict):
        self._is_strict = is_strict
        self._left = INVOKES_LOOKED_AT
        self._before = 1

    def begin(self):
        """Before a handler runs: what runs by then belongs to init or to an earlier invoke."""
        if self._left > 0:
            self._before = _working()

    def end(self):
        """After it has returned. Raises `Runtime.NotPortable` if it is strict."""
        if self._left <= 0:
            return
        if not self._is_strict:
            self._left -= 1
        if _working() <= self._before:
            return
        if self._is_strict:
            raise HandlerError("Runtime.NotPortable", LEFT_RUNNING)
        self._left = 0
        logging.getLogger("sluice").warning("%s (said once)", LEFT_RUNNING)
