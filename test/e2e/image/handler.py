"""A Python handler that needs its standard library, and a client of the Runtime API around it."""
import decimal
import json
import os
import sqlite3
import urllib.request
import zlib

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"


def handler(event):
    rows = sqlite3.connect(":memory:").execute("select 6 * 7").fetchall()
    return {
        "answer": rows[0][0],
        "sum": str(sum(decimal.Decimal(word) for word in event["numbers"])),
        "crc": zlib.crc32(json.dumps(event).encode()),
    }


while True:
    with urllib.request.urlopen(f"{API}/next") as answer:
        request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
        event = json.load(answer)
    try:
        path, body = "response", handler(event)
    except Exception as error:
        path, body = "error", {"errorType": type(error).__name__, "errorMessage": str(error)}
    data = json.dumps(body).encode()
    urllib.request.urlopen(urllib.request.Request(f"{API}/{request_id}/{path}", data=data)).close()
