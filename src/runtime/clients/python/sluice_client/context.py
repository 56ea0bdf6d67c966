"""The second argument of a handler."""

import json
import time


class Fields:
    """A JSON object whose members are attributes; what is missing is None."""

    def __init__(self, names, values):
        for name in names:
            setattr(self, name, values.get(name))

    def __repr__(self):
        return f"{type(self).__name__}({self.__dict__})"


class Client(Fields):
    pass


class ClientContext(Fields):
    pass


class CognitoIdentity(Fields):
    pass


class LambdaContext:
    def __init__(self, invoke, environment):
        self.aws_request_id = invoke.request_id
        self.invoked_function_arn = invoke.function_arn
        self.function_name = environment.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = environment.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = environment.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = environment.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.client_context = _client_context(invoke.client_context)
        self.identity = _identity(invoke.identity)
        self._deadline_ms = invoke.deadline_ms

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def __repr__(self):
        return f"LambdaContext({self.__dict__})"


def _client_context(text):
    if not text:
        return None
    values = json.loads(text.encode("latin-1"))
    context = ClientContext(("custom", "env"), values)
    names = ("installation_id", "app_title", "app_version_name", "app_version_code")
    context.client = Client((*names, "app_package_name"), values.get("client") or {})
    return context


def _identity(text):
    values = json.loads(text) if text else {}
    identity = CognitoIdentity((), {})
    identity.cognito_identity_id = values.get("cognitoIdentityId")
    identity.cognito_identity_pool_id = values.get("cognitoIdentityPoolId")
    return identity


def context_of(invoke, environment):
    return LambdaContext(invoke, environment)
