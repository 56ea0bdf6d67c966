"""Runs a table of cases, given as JSON on standard input, with boto3; prints what came of each."""

import json
import re
import sys

import boto3
from botocore.exceptions import ClientError


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def run(client, case):
    given = dict(case["input"])
    if "Payload" in given:
        given["Payload"] = given["Payload"].encode()
    operation = case["operation"]
    try:
        if operation.startswith("wait:"):
            waiter = client.get_waiter(snake(operation[5:].replace("V2", "_v2")).replace("__", "_"))
            waiter.wait(WaiterConfig={"Delay": 0.05, "MaxAttempts": 100}, **given)
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
