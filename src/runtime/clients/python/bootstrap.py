"""The runtime client of Python functions: loads the handler, then runs one event after another."""

import os
import sys

from sluice_client import logs
from sluice_client.api import RuntimeApi
from sluice_client.context import context_of
from sluice_client.errors import describe, print_failure
from sluice_client.handler import load_handler
from sluice_client.marshal import from_json, to_json


def search_paths(task_root):
    """Code first, then what layers bring, before the standard library's site directories."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    layered = [f"/opt/python/lib/{version}/site-packages", "/opt/python"]
    return [task_root, *layered]


def fail_init(api, error):
    described = describe(error, None)
    print_failure(described)
    api.fail_init(described)
    sys.exit(1)


def main():
    environment = os.environ
    api = RuntimeApi(environment["AWS_LAMBDA_RUNTIME_API"])
    sys.path[:0] = search_paths(environment["LAMBDA_TASK_ROOT"])
    logs.set_up(environment)
    try:
        handler = load_handler(environment["_HANDLER"])
    except Exception as error:
        fail_init(api, error)
    while True:
        invoke = api.next()
        logs.begin(invoke.request_id)
        environment["_X_AMZN_TRACE_ID"] = invoke.trace_id or ""
        try:
            result = to_json(handler(from_json(invoke.body), context_of(invoke, environment)))
        except Exception as error:
            described = describe(error, invoke.request_id)
            print_failure(described)
            api.fail(invoke.request_id, described)
        else:
            api.respond(invoke.request_id, result)


if __name__ == "__main__":
    main()
