"""The second argument of a handler."""

import json
import time

from . import logs
from .errors import HandlerError


class _Fields:
    """A JSON object whose members are attributes; what is missing is None."""

    __slots__ = ()

    def __init__(self, values):
        for name in self.__slots__:
            setattr(self, name, values.get(name))

    def __repr__(self):
        shown = ",".join(f"{name}={getattr(self, name)}" for name in self.__slots__)
        return f"{type(self).__name__}([{shown}])"


class Client(_Fields):
    __slots__ = (
        "installation_id",
        "app_title",
        "app_version_name",
        "app_version_code",
        "app_package_name",
    )


class ClientContext(_Fields):
    __slots__ = ("custom", "env", "client")


class CognitoIdentity(_Fields):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")


#: The members of `w3c` in a client's context that a handler is told of; others are not passed on.
TRACE_FIELDS = ("traceparent", "tracestate", "baggage")


class LambdaContext:
    def __init__(self, invoke, environment):
        self.aws_request_id = invoke.request_id
        self.log_group_name = environment.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = environment.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = environment.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = environment.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = invoke.function_arn
        self.tenant_id = invoke.tenant_id
        self.client_context, self._w3c = _client_context(invoke.client_context)
        self.identity = _identity(invoke.identity)
        self._epoch_deadline_time_in_ms = invoke.deadline_ms

    def get_remaining_time_in_millis(self):
        return max(0, self._epoch_deadline_time_in_ms - int(time.time() * 1000))

    def w3c(self):
        """The W3C trace context that the caller sent, as far as it is text."""
        return dict(self._w3c)

    def log(self, message):
        """One entry of the log, whatever levels are let through."""
        logs.write(str(message))

    def __repr__(self):
        shown = (
            f"{name}={value}" for name, value in self.__dict__.items() if not name.startswith("_")
        )
        return f"LambdaContext([{','.join(shown)}])"


def _json(text, name):
    try:
        return json.loads(text.encode("latin-1"))
    except Exception as error:
        raise HandlerError(
            "Runtime.LambdaContextUnmarshalError", f"Unable to parse {name} JSON: {error}"
        ) from error


def _client_context(text):
    """What the caller sent of itself, and of its trace."""
    values = _json(text, "Client Context") if text else None
    if values is None:
        return None, {}
    traced = values.get("w3c")
    traced = traced if isinstance(traced, dict) else {}
    w3c = {name: traced[name] for name in TRACE_FIELDS if isinstance(traced.get(name), str)}
    context = ClientContext(values)
    if context.client is not None:
        context.client = Client(context.client)
    return context, w3c


def _identity(text):
    values = _json(text, "Cognito Identity") if text else {}
    identity = CognitoIdentity({})
    identity.cognito_identity_id = values.get("cognitoIdentityId")
    identity.cognito_identity_pool_id = values.get("cognitoIdentityPoolId")
    return identity
