"""Checks the examples in OpenAPI documents, and recorded requests, against the schemas.

Arguments: the directory of the recordings, then the documents. A recording has the name of its
document. Everything that does not match is said, and the exit code is 1.
"""

import json
import sys
from pathlib import Path

from jsonschema_rs import Draft202012Validator

# What is data, whatever its keys look like.
DATA = {"example", "examples", "enum", "const", "default"}

wrong = []


def check(at, document, schema, value):
    # References lead into the components.
    whole = Draft202012Validator({**schema, "components": document["components"]})
    wrong.extend(f"{at}: {value!r}: {error.message}" for error in whole.iter_errors(value))


def examples(part, at):
    """Each example of a part of a document: its place, its schema, its value."""
    if isinstance(part, list):
        for index, item in enumerate(part):
            yield from examples(item, f"{at}/{index}")
    if not isinstance(part, dict):
        return
    # A parameter and a media type have a schema; a schema is its own.
    schema = part.get("schema", part)
    if "example" in part:
        yield at, schema, part["example"]
    listed = part.get("examples", [])
    # A schema has a list of values, a media type a map of objects.
    for value in [named["value"] for named in listed.values()] if isinstance(listed, dict) else listed:
        yield at, schema, value
    for name, member in part.items():
        if name == "properties":
            for key, of_key in member.items():
                yield from examples(of_key, f"{at}/{name}/{key}")
        elif name not in DATA:
            yield from examples(member, f"{at}/{name}")


def operation_at(document, method, path):
    """The operation of a recorded request."""
    parts = path.partition("?")[0].split("/")
    for template, item in document["paths"].items():
        named = template.split("/")
        if len(named) == len(parts) and all(
            name.startswith("{") or name == part for name, part in zip(named, parts)
        ):
            return item[method.lower()]
    raise LookupError(f"no operation at {method} {path}")


def recorded_bodies(document, recording):
    """Each body that the earlier system did not refuse for what it says: its case, its schema, itself."""
    for exchange in json.loads(recording.read_text()):
        request = exchange["request"]
        if request["body"] and exchange["response"]["status"] != 400:
            operation = operation_at(document, request["method"], request["path"])
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            yield exchange["case"], schema, json.loads(request["body"])


recordings, *documents = map(Path, sys.argv[1:])
bodies = 0
for file in documents:
    document = json.loads(file.read_text())
    found = list(examples(document, file.name))
    assert found, f"{file}: no example"
    for at, schema, value in found:
        check(at, document, schema, value)
    recording = recordings / file.name
    if recording.exists():
        for case, schema, body in recorded_bodies(document, recording):
            check(f"{file.name}, {case}", document, schema, body)
            bodies += 1
assert bodies > 0, "no recorded body"
for line in wrong:
    print(line)
if wrong:
    sys.exit(1)
print("all match")
