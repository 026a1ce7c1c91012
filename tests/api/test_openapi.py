"""The document: valid OpenAPI 3.1, nothing to complain about by the linters of others, told in full."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator

from codyverse.api.operation import OPERATIONS
from codyverse.http.errors import STATUS_OF_CODE
from config import ROOT
from tests.api.client import spec_of
from tools.assets import node_folder

NODE = ROOT / "node_modules"


@pytest.fixture
def operations(app: Flask) -> list[dict[str, Any]]:
    """All operations of the document."""
    return [each for path in spec_of(app)["paths"].values() for each in path.values()]


def test_the_document_is_valid_and_served_to_all(app: Flask) -> None:
    response = app.test_client().get("/api-spec.json")
    assert response.mimetype == "application/json"
    assert response.get_json() == spec_of(app)
    again = app.test_client().get("/api-spec.json", headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    OpenAPIV31SpecValidator(spec_of(app)).validate()


def test_redocly_has_nothing_to_complain_about(app: Flask, tmp_path: Path) -> None:
    """Its recommended rules: no error, no warning."""
    binary = node_folder() / ("node.exe" if os.name == "nt" else "bin/node")
    (tmp_path / "api.json").write_text(json.dumps(spec_of(app)))
    command = [
        binary,
        NODE / "@redocly/cli/bin/cli.js",
        "lint",
        "--extends",
        "recommended",
        "--format",
        "json",
        "api.json",
    ]
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=quiet, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    assert (told["totals"]["errors"], told["totals"]["warnings"]) == (0, 0), told["problems"]
    assert done.returncode == 0


def test_every_operation_is_in_it_once_and_told_in_full(app: Flask, operations: list[dict[str, Any]]) -> None:
    ids = [each["operationId"] for each in operations]
    assert sorted(ids) == sorted(OPERATIONS)
    tags = {each["name"] for each in spec_of(app)["tags"]}
    for each in operations:
        told = each["operationId"]
        assert each["summary"], told
        assert each["description"].endswith((".", "`")), told
        assert each["summary"] != each["description"], told
        assert set(each["tags"]) <= tags, told
        assert {"401", "429", "500", "503"} <= set(each["responses"]), told


def test_what_goes_in_has_an_example_that_fits(app: Flask, operations: list[dict[str, Any]]) -> None:
    """A person who reads can copy it: of every required field at least, and of the path's parts."""
    spec = spec_of(app)
    for each in operations:
        for parameter in each["parameters"]:
            schema = parameter["schema"]
            if parameter["in"] == "path":
                assert "example" in parameter or "examples" in schema or "enum" in schema, each["operationId"]
        if "requestBody" not in each:
            continue
        content = each["requestBody"]["content"]["application/json"]
        if "example" in content:
            OPERATIONS[each["operationId"]].body.model_validate_json(json.dumps(content["example"]))
            continue
        schema = spec["components"]["schemas"][content["schema"]["$ref"].rsplit("/", 1)[1]]
        for name in schema.get("required", []):
            field = schema["properties"][name]
            assert _has_example(field), f"{each['operationId']}: {name} has no example"


def _has_example(field: dict[str, Any]) -> bool:
    """An example, or so plain that none is needed."""
    return "examples" in field or "enum" in field or field.get("type") in {"integer", "boolean", "number"}


def test_no_link_leads_astray(operations: list[dict[str, Any]]) -> None:
    known = {each["operationId"]: {one["name"] for one in each["parameters"]} for each in operations}
    for each in operations:
        for response in each["responses"].values():
            for link in response.get("links", {}).values():
                assert set(link["parameters"]) <= known[link["operationId"]]


def test_the_codes_are_those_of_the_contract(app: Flask) -> None:
    """The contract's own list is in docs; every code that is documented is one of the schema's."""
    codes = set(spec_of(app)["components"]["schemas"]["Failure"]["properties"]["code"]["enum"])
    assert set(STATUS_OF_CODE) <= codes
