"""Runs a table of cases, given as JSON on standard input, with boto3; prints what came of each."""

import base64
import json
import re
import sys

import boto3
from botocore.exceptions import ClientError


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def bytes_where_wanted(given):
    """Archives come as base64 and payloads as text; both go as bytes."""
    if not isinstance(given, dict):
        return given
    given = {name: bytes_where_wanted(value) for name, value in given.items()}
    if "ZipFile" in given:
        given["ZipFile"] = base64.b64decode(given["ZipFile"])
    if "Payload" in given:
        given["Payload"] = given["Payload"].encode()
    return given


def run(client, case):
    given = bytes_where_wanted(case["input"])
    operation = case["operation"]
    try:
        if operation.startswith("wait:"):
            waiter = client.get_waiter(snake(operation[5:].replace("V2", "_v2")).replace("__", "_"))
            waiter.wait(WaiterConfig={"Delay": 0.1, "MaxAttempts": 600}, **given)
            return {}
        answer = getattr(client, snake(operation))(**given)
        if "Payload" in answer:
            answer["Payload"] = answer["Payload"].read().decode()
        return answer
    except ClientError as error:
        return error.response["Error"]["Code"]


client = boto3.client("lambda", endpoint_url=sys.argv[1])
cases = json.load(sys.stdin)
print(json.dumps([run(client, case) for case in cases], default=str))
