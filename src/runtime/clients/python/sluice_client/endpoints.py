"""Endpoints by environment for a botocore from before 1.31, which knows none."""

import os

ENDPOINT_POSITION = 5


def configured_endpoint(environment, service_id):
    """What the later versions read: the service's own variable, then that of all."""
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    own = "AWS_ENDPOINT_URL_" + service_id.upper().replace(" ", "_").replace("-", "_")
    return environment.get(own) or environment.get("AWS_ENDPOINT_URL") or None


def honour_environment(session_class):
    """Has the class's clients go where the environment says, unless their call says where."""
    create_client = session_class.create_client

    def create(self, service_name, *args, **named):
        if len(args) < ENDPOINT_POSITION and named.get("endpoint_url") is None:
            loader = self.get_component("data_loader")
            model = loader.load_service_model(service_name, "service-2")
            service_id = model["metadata"].get("serviceId", service_name)
            named["endpoint_url"] = configured_endpoint(os.environ, service_id)
        return create_client(self, service_name, *args, **named)

    session_class.create_client = create
