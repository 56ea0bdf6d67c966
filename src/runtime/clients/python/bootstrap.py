"""The runtime client of Python functions: loads the handler, then runs one event after another."""

import os
import sys

from sluice_client import logs
from sluice_client.api import RuntimeApi
from sluice_client.context import LambdaContext
from sluice_client.errors import describe
from sluice_client.handler import load_handler
from sluice_client.marshal import Marshaller, from_json
from sluice_client.portability import Portability


def search_paths(task_root):
    """Code first, then what layers bring, before what the runtime and the library bring."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    layered = [f"/opt/python/lib/{version}/site-packages", "/opt/python"]
    return [task_root, *layered]


def tell_version(execution_environment):
    """Says in the log if this is not the version that the function names."""
    ours = f"python{sys.version_info.major}.{sys.version_info.minor}"
    named = execution_environment.removeprefix("AWS_Lambda_")
    if named.startswith("python") and named != ours:
        logs.write(f"[WARNING]\tThe function is of {named} and runs on {ours}")


def fail_init(api, error):
    described = describe(error, None)
    logs.failure(described)
    api.fail_init(described)
    sys.exit(1)


class Runner:
    def __init__(self, handler, environment):
        self._handler = handler
        self._environment = environment
        self._marshaller = Marshaller(environment)
        self._portability = Portability(environment.get("SLUICE_STRICT") == "1")

    def run(self, api, invoke):
        """Runs one event to its answer, whatever the handler does, save to end the process."""
        logs.begin(invoke.request_id, invoke.tenant_id)
        if invoke.trace_id is None:
            self._environment.pop("_X_AMZN_TRACE_ID", None)
        else:
            self._environment["_X_AMZN_TRACE_ID"] = invoke.trace_id
        try:
            context = LambdaContext(invoke, self._environment)
            event = from_json(invoke.body)
            self._portability.begin()
            result = self._handler(event, context)
            self._portability.end()
            body, content_type = self._marshaller.to_body(result)
        except Exception as error:
            described = describe(error, invoke.request_id)
            logs.failure(described)
            api.fail(invoke.request_id, described)
        else:
            api.respond(invoke.request_id, body, content_type)


def main():
    environment = os.environ
    api = RuntimeApi(environment["AWS_LAMBDA_RUNTIME_API"])
    sys.path[:0] = search_paths(environment["LAMBDA_TASK_ROOT"])
    logs.set_up(environment)
    tell_version(environment.get("AWS_EXECUTION_ENV", ""))
    try:
        handler = load_handler(environment["_HANDLER"])
    except Exception as error:
        fail_init(api, error)
    runner = Runner(handler, environment)
    while True:
        runner.run(api, api.next())


if __name__ == "__main__":
    main()
