"""The root logger, and lines as Lambda writes them: text, or JSON with a level's filter."""

import json
import logging
import sys
import time

LEVELS = {"TRACE": logging.DEBUG, "FATAL": logging.CRITICAL}

_request_id = None


def begin(request_id):
    """Lines from now on belong to this request."""
    global _request_id
    _request_id = request_id


class _RequestFilter(logging.Filter):
    def filter(self, record):
        record.aws_request_id = _request_id or ""
        return True


class _TextFormatter(logging.Formatter):
    converter = time.gmtime

    def __init__(self):
        super().__init__(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s",
            "%Y-%m-%dT%H:%M:%S",
        )

    def format(self, record):
        return super().format(record).replace("\n", "\r")


class _JsonFormatter(logging.Formatter):
    converter = time.gmtime

    def format(self, record):
        line = {
            "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": record.aws_request_id,
        }
        if record.exc_info and record.exc_info[0]:
            kind, error, _ = record.exc_info
            stack = self.formatException(record.exc_info).splitlines()
            line.update(errorType=kind.__name__, errorMessage=str(error), stackTrace=stack)
        return json.dumps(line, default=str)


def set_up(environment):
    """The level is WARNING, as Lambda's is, unless the function's logging configuration says."""
    is_json = environment.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonFormatter() if is_json else _TextFormatter())
    handler.addFilter(_RequestFilter())
    root = logging.getLogger()
    root.addHandler(handler)
    level = environment.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    if is_json and level:
        root.setLevel(LEVELS.get(level, level))
