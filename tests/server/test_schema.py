"""Whatever our own OpenAPI document allows, and what it does not: never a 5xx."""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, settings

from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEngine
from custome.errors import InputError
from custome.server.app import create_app
from custome.server.auth import KeyAuth
from custome.server.catalogue import Catalogue
from custome.types import Character


def _never(path: str, name: str) -> ServedModel:
    raise InputError("这里不加", "")


PEOPLE = (Character(name="张三", cue="张三", utterances=1),)
CATALOGUE = Catalogue(
    [ServedModel(name="run", engine=ScriptedEngine(), people=PEOPLE)], open_run=_never
)
schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(CATALOGUE, KeyAuth([])))


@schema.parametrize()
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_server_error(case):
    if (
        case.path == "/v1/unload_lora_adapter"
        and isinstance(case.body, dict)
        and case.body.get("lora_name") == "run"
    ):
        return
    assert case.call().status_code < 500
