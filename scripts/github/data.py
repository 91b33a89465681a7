"""GitHub's webhook deliveries and their JSON Schema, from two pinned npm packages (MIT)."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

from common import npm

Json = Any

EXAMPLES = npm.Package(
    "@octokit/webhooks-examples",
    "7.6.1",
    "De6U3XB6O3DtCa7bKgCMzTHdeopqqZ6SNivMYJnK65ierKL1AnNIA0tkRYCRS7lwGT792d+Ps1WbfHlso6MynQ==",
)
SCHEMAS = npm.Package(
    "@octokit/webhooks-schemas",
    "7.6.1",
    "qW0Bwtb76r4m2WzVhKDyfEeEnt1GEQoRjkCqmq2ZeB0nNVDJ+Z2LBDS9FDPyduuMXf/ZTWiCJp9PFFHgRfBe3A==",
)
DEFINITIONS = "#/definitions/"


@dataclass(frozen=True)
class Delivery:
    """One real delivery: the `index`-th example of an event."""

    event: str
    index: int
    payload: Dict[str, Json]

    @property
    def name(self) -> str:
        """What it is called in messages."""
        action = self.payload.get("action")
        return f"{self.event}[{self.index}]" + (f" {action}" if action else "")


def load(folder: Optional[Path], cache: Path) -> Tuple[List[Delivery], Dict[str, Json]]:
    """Deliveries and schema: from `folder` (deliveries.json, schema.json), or through npm."""
    if folder is not None:
        texts = ((folder / "deliveries.json").read_bytes(), (folder / "schema.json").read_bytes())
    else:
        texts = (
            npm.read(npm.obtain(EXAMPLES, cache), "api.github.com/index.json"),
            npm.read(npm.obtain(SCHEMAS, cache), "schema.json"),
        )
    events, schema = (json.loads(text) for text in texts)
    deliveries = [
        Delivery(event["name"], index, payload)
        for event in events
        for index, payload in enumerate(event["examples"])
    ]
    return deliveries, schema


def schema_of(event: str, schema: Dict[str, Json]) -> Dict[str, Json]:
    """A self-contained schema of one event: the definitions that it reaches, and no others."""
    definitions = schema["definitions"]
    # An event without actions is one definition, `push$event`; the others are a oneOf of theirs.
    root = next(name for name in (f"{event}_event", f"{event}$event") if name in definitions)
    reached: Dict[str, Json] = {}
    waiting = [root]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name] = definitions[name]
            waiting.extend(_references(definitions[name]))
    return {
        "$schema": schema["$schema"],
        "$ref": DEFINITIONS + root,
        "definitions": reached,
    }


def _references(value: Json) -> Iterator[str]:
    """Names of the definitions that a schema refers to."""
    if isinstance(value, dict):
        for key, member in value.items():
            if key == "$ref" and isinstance(member, str):
                yield member[len(DEFINITIONS) :].replace("~1", "/").replace("~0", "~")
            else:
                yield from _references(member)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
