"""Registers a Type for each event and notarizes the deliveries."""

import json
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple

from common.client import Client, Refused
from data import Delivery, schema_of

Json = Any

# A Type for deliveries that the schema of their event refuses: they happened all the same.
MISFIT = "github-misfit-v1"
MISFIT_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A delivery that does not fit the published schema of its event",
    "type": "object",
    "additionalProperties": False,
    "required": ["event", "refusedBy", "reason", "payload"],
    "properties": {
        "event": {"type": "string"},
        "refusedBy": {"type": "string", "description": "the Type that it does not fit"},
        "reason": {"type": "string"},
        "payload": {"type": "object", "description": "the delivery as it is"},
    },
}
# Events with at least this many deliveries go in batches, the others one by one.
BATCHED_FROM = 5
BATCH_RECORDS = 100
# The server takes 1 MiB a request; keep some distance.
BATCH_BYTES = 900 * 1024
LONGEST_REFERENCE = 256


class Outcome(NamedTuple):
    """What became of one delivery: a record, or a problem (RFC 9457)."""

    delivery: Delivery
    record_id: Optional[str]
    problem: Optional[Dict[str, Json]]


def type_name(event: str) -> str:
    """The Type of an event: `issue_comment` is `github-issue-comment`."""
    return "github-" + event.replace("_", "-")


def register_types(admin: Client, events: Iterable[str], schema: Dict[str, Json]) -> int:
    """Registers all Types and returns how many."""
    count = 0
    for event in events:
        admin.post(
            "/v1/types", {"name": type_name(event), "recordSchema": schema_of(event, schema)}
        )
        count += 1
    admin.post("/v1/types", {"name": MISFIT, "recordSchema": MISFIT_SCHEMA})
    return count + 1


def references(delivery: Delivery) -> Dict[str, str]:
    """The join keys of a delivery: event, and repository, action and sender where it has them."""
    payload = delivery.payload
    found = {
        "event": delivery.event,
        "action": payload.get("action"),
        "repository": (payload.get("repository") or {}).get("full_name"),
        "sender": (payload.get("sender") or {}).get("login"),
    }
    return {key: text[:LONGEST_REFERENCE] for key, text in found.items() if text}


def request(delivery: Delivery) -> Dict[str, Json]:
    """What is sent for a delivery: the payload is the criteria, as it is."""
    return {
        "type": type_name(delivery.event),
        "criteria": delivery.payload,
        "references": references(delivery),
    }


def misfit_request(delivery: Delivery, problem: Dict[str, Json]) -> Dict[str, Json]:
    """What is sent for a delivery that was refused with `problem`."""
    criteria = {
        "event": delivery.event,
        "refusedBy": type_name(delivery.event),
        "reason": reason(problem),
        "payload": delivery.payload,
    }
    return {"type": MISFIT, "criteria": criteria, "references": references(delivery)}


def reason(problem: Dict[str, Json]) -> str:
    """The first violation of a problem, or its detail."""
    violations = problem.get("errors") or [{}]
    return str(violations[0].get("message") or problem.get("detail", "no reason was given"))


def split(deliveries: List[Delivery]) -> Tuple[List[List[Delivery]], List[Delivery]]:
    """Deliveries of frequent events in batches within the server's limits, and the others."""
    counts: Dict[str, int] = {}
    for delivery in deliveries:
        counts[delivery.event] = counts.get(delivery.event, 0) + 1
    batches: List[List[Delivery]] = []
    size = BATCH_BYTES
    for delivery in (d for d in deliveries if counts[d.event] >= BATCHED_FROM):
        length = len(json.dumps(request(delivery)))
        if not batches or len(batches[-1]) == BATCH_RECORDS or size + length > BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(delivery)
        size += length
    return batches, [d for d in deliveries if counts[d.event] < BATCHED_FROM]


def idempotency_key(delivery: Delivery, purpose: str) -> str:
    """The same at every try; a real agent takes the delivery's id instead."""
    return f"{purpose}/{delivery.event}/{delivery.index}"


def one(agent: Client, delivery: Delivery, body: Dict[str, Json]) -> Outcome:
    """Notarizes one delivery in a request of its own."""
    try:
        answer = agent.post("/v1/records", body, idempotency_key(delivery, body["type"]))
    except Refused as refused:
        return Outcome(delivery, None, refused.problem)
    return Outcome(delivery, answer["record"]["id"], None)


def batch(agent: Client, deliveries: List[Delivery]) -> List[Outcome]:
    """Notarizes deliveries in one request; each is accepted or refused for itself."""
    body = {"records": [request(delivery) for delivery in deliveries]}
    answer = agent.post("/v1/records/batch", body, idempotency_key(deliveries[0], "batch"))
    results = answer["results"]
    if len(results) != len(deliveries):
        raise ValueError(
            f"{len(deliveries)} records were sent and {len(results)} results came back"
        )
    return [
        Outcome(delivery, result.get("record", {}).get("id"), result.get("problem"))
        for delivery, result in zip(deliveries, results)
    ]


def under_their_types(
    agent: Client, deliveries: List[Delivery], progress: Callable[[int], None]
) -> List[Outcome]:
    """Notarizes all deliveries under the Types of their events."""
    batches, singles = split(deliveries)
    outcomes: List[Outcome] = []
    for group in batches:
        outcomes.extend(batch(agent, group))
        progress(len(outcomes))
    for delivery in singles:
        outcomes.append(one(agent, delivery, request(delivery)))
        progress(len(outcomes))
    return outcomes


def as_misfits(agent: Client, refused: List[Outcome]) -> List[Outcome]:
    """Notarizes what was refused, with the reason, under a Type that takes any delivery."""
    return [
        one(agent, outcome.delivery, misfit_request(outcome.delivery, outcome.problem or {}))
        for outcome in refused
    ]
