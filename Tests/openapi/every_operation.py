"""Calls every operation of a client that openapi-python-client made, once: URL KEY HOST; the package `client` is in the folder.

A status that the document does not have, an answer that the client cannot read, or one of 500 and more is a failure.
"""
import importlib, inspect, pathlib, sys, traceback, types, typing

url, key, host = sys.argv[1:4]
sys.path.insert(0, ".")
from client import AuthenticatedClient

client = AuthenticatedClient(
    base_url=url, token=key, prefix="", auth_header_name="X-Api-Key", raise_on_unexpected_status=True, timeout=60)
# A stream never ends, and a WebSocket is no call.
left_out = {"events"}
values = {
    "host": host, "uid": "game.a", "server": "game-a", "game_uid": "game", "game": "game", "name": "x", "servername": "y",
    "id": "x", "command": "hello", "description": "text", "state": "ON", "cron": "@daily", "schedule": "x", "action": "ping"}
# What takes a server away comes last.
rank = lambda name: ("eradicate" in name or name.endswith("destroy"), name)


def body(annotation):
    models = [part for part in typing.get_args(annotation) or [annotation] if hasattr(part, "from_dict")]
    if not models:
        return None
    members = {}
    for _ in range(20):
        try:
            return models[0].from_dict(members)
        except KeyError as missing:
            members[missing.args[0]] = values.get(missing.args[0], "x")
    raise ValueError(f"{models[0]} cannot be filled")


def argument(name, parameter, hints):
    annotation = hints.get(name, parameter.annotation)
    if name == "body":
        return body(annotation)
    if name == "host" or parameter.default is inspect.Parameter.empty:
        return values.get(name, "x")
    return None


calls = failures = 0
paths = sorted(pathlib.Path("client/api").glob("*/*.py"), key=lambda path: rank(path.stem))
for path in paths:
    if path.stem == "__init__" or path.stem in left_out or "ws" in path.stem.split("_"):
        continue
    module = importlib.import_module(".".join(path.with_suffix("").parts))
    function = module.sync_detailed
    hints = typing.get_type_hints(function)
    given = {}
    for name, parameter in inspect.signature(function).parameters.items():
        value = argument(name, parameter, hints) if name != "client" else client
        if value is not None:
            given[name] = value
    calls += 1
    try:
        answer = function(**given)
        if int(answer.status_code) >= 500:
            raise ValueError(f"{int(answer.status_code)}: {answer.content[:300]}")
    except Exception as error:
        failures += 1
        print(f"{path.stem}: {type(error).__name__}: {str(error)[:400]}")
print(f"{calls} operations, {failures} failures")
sys.exit(failures > 0)
