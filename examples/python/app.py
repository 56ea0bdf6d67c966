"""Greets: `bin/sluice function create greet --zip examples/python`"""

import logging
import os

logging.getLogger().setLevel(logging.INFO)
GREETING = os.environ.get("GREETING", "Hello")


def handler(event, context):
    if event.get("fail"):
        raise RuntimeError("asked to fail")
    # A function URL puts what the address asks for here.
    name = (event.get("queryStringParameters") or event).get("name", "world")
    logging.info("greeting %s", name)
    return {"greeting": f"{GREETING}, {name}!"}
