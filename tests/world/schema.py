"""Judges TOML documents by a JSON Schema: prints a line for each, `ok` or what is wrong with it."""

import json
import sys
import tomllib

from jsonschema import Draft202012Validator

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
for name in sys.argv[2:]:
    with open(name, "rb") as file:
        error = next(iter(validator.iter_errors(tomllib.load(file))), None)
    print("ok" if error is None else f"{error.json_path}: {error.message}".replace("\n", " "))
