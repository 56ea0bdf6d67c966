"""The root logger, and lines as Lambda writes them: text, or JSON, with a level's filter."""

import json
import logging
import sys
import time
import traceback

#: What indents a line of a failure's stack, so that no viewer swallows it.
NO_BREAK_SPACE = "\u00a0"
TIME = "%Y-%m-%dT%H:%M:%S"
#: What a record has of itself; all else was given as `extra`, or names the task that runs.
OWN_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"aws_request_id", "tenant_id", "message", "asctime"}
OWN_FIELDS -= {"taskName"}
#: What only a failure has, and no `extra` may say.
FAILURE_FIELDS = frozenset(("stackTrace", "errorType", "errorMessage", "location"))

_request_id = None
_tenant_id = None
_is_json = False


def begin(request_id, tenant_id):
    """Lines from now on belong to this request."""
    global _request_id, _tenant_id
    _request_id = request_id
    _tenant_id = tenant_id


def write(text):
    """One entry of the log: line ends within it are carriage returns."""
    sys.stdout.write(text.rstrip("\n").replace("\n", "\r") + "\n")
    sys.stdout.flush()


def failure(described):
    """The entry of an invoke or an init that has failed."""
    if _is_json:
        timestamp = time.strftime(TIME, time.gmtime())
        write(json.dumps({"timestamp": timestamp, "level": "ERROR", **described}, ensure_ascii=False))
        return
    kind, message = described["errorType"], described["errorMessage"]
    lines = [f"[ERROR] {kind}: {message}" if message else f"[ERROR] {kind}"]
    lines.append("Traceback (most recent call last):")
    for frame in described["stackTrace"]:
        lines += [_indented(line) for line in frame.splitlines()]
    write("\n".join(lines))


def _indented(line):
    text = line.lstrip(" ")
    return NO_BREAK_SPACE * (len(line) - len(text)) + text


class LambdaLoggerHandler(logging.Handler):
    """
    Libraries look for a handler of this name, to leave it alone or to take it away. What cannot be
    formatted is raised where it was to be logged, as on Lambda.
    """

    def emit(self, record):
        write(self.format(record))


class _RequestFilter(logging.Filter):
    def filter(self, record):
        record.aws_request_id = _request_id or ""
        record.tenant_id = _tenant_id
        return True


class _JsonFormatter(logging.Formatter):
    def formatTime(self, record, datefmt=None):
        return f"{time.strftime(TIME, time.gmtime(record.created))}.{int(record.msecs):03d}Z"

    def format(self, record):
        line = {
            "timestamp": self.formatTime(record),
            "level": logging.getLevelName(min(50, max(0, record.levelno)) // 10 * 10),
            "message": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info:
            kind, error, trace = record.exc_info
            line["stackTrace"] = traceback.format_tb(trace)
            line["errorType"] = kind.__name__
            line["errorMessage"] = str(error)
        line["requestId"] = record.aws_request_id
        if record.exc_info:
            line["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        if record.tenant_id is not None:
            line["tenantId"] = record.tenant_id
        for name, value in record.__dict__.items():
            if name not in OWN_FIELDS | FAILURE_FIELDS and name not in line and value is not None:
                line[name] = value
        return json.dumps(line, ensure_ascii=False)


def set_up(environment):
    """The level is WARNING, as Lambda's is, unless the function's logging configuration says."""
    global _is_json
    _is_json = environment.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    logging.Formatter.converter = time.gmtime
    text = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
    handler = LambdaLoggerHandler()
    handler.setFormatter(_JsonFormatter() if _is_json else logging.Formatter(text, TIME))
    handler.addFilter(_RequestFilter())
    root = logging.getLogger()
    root.addHandler(handler)
    level = environment.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = "DEBUG" if level == "TRACE" else level
    if isinstance(logging.getLevelName(level), int):
        root.setLevel(level)
