"""What the judges judge: statements and bodies of a running server, and those of testdata/."""

import base64
import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from common.client import Client, agent_in_new_org
from common.paths import ROOT

Json = Any
VECTORS = ROOT / "testdata" / "vectors"

# A Type that takes any object.
ANYTHING = "judged-anything-v1"
# JSON text as it is sent, because a JSON library would write its own form of it.
CRITERIA = [
    r"{}",
    r'{"a":{"b":{"c":{"d":{"e":[[[[]]]]}}}}}',
    r'{"empty":[{},[],"",null,false,true]}',
    r'{"integers":[0,-0,1,-1,9007199254740991,-9007199254740991,9007199254740992]}',
    r'{"fractions":[0.1,-0.5,1.0,100e-2,3.141592653589793,-0.0,0.1e-6,1e-7,5e-324]}',
    r'{"large":[1e21,1E+21,123456789012345680000,1.7976931348623157e308,295147905179352830000]}',
    r'{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}',
    r'{"text":"Gr\u00fc\u00dfe \u4f60\u597d \ud83c\udf0d \u202e\u2028\u007f\\\"\/\b\f\n\r\t"}',
    r'{"combining":["\u00e9","e\u0301","\u212b","\u00c5"],"\ud800\udc00":1,"\uffff":2}',
    r'{"":"","z":1,"a":2,"A":3,"aa":4,"a\u0301":5,"__proto__":6,"constructor":7}',
    '{"long":"' + "0123456789abcdef" * 4096 + '"}',
    '{"many":{' + ",".join(f'"k{n}":{n}' for n in range(500)) + "}}",
]
NOTES = [
    r'{"text":"checked by hand"}',
    r'{"text":"\ud83d\udd0d zweite","data":{"score":0.30000000000000004,"ids":[3,2]}}',
]


class Gathered(NamedTuple):
    """What a server signed; a record of it, and an admin and an agent of its organisation."""

    signed: Dict[str, Json]
    record: str
    admin: Client
    agent: Client


def gather(platform: Client, name: str) -> Gathered:
    """Notarizes a variety of records on the server and collects all that it signed for them."""
    admin, agent = agent_in_new_org(platform, name, "judged-agent")
    admin.post("/v1/types", {"name": ANYTHING, "recordSchema": {"type": "object"}})
    records = [_notarize(agent, f'{{"type":"{ANYTHING}","criteria":{text}}}') for text in CRITERIA]
    root = records[0]
    for note in NOTES:
        agent.post_bytes(f"/v1/records/{root}/notes", note.encode())
    for parent in (root, root, records[1]):
        child = {"type": ANYTHING, "criteria": {"of": parent}, "parentRecordId": parent}
        records.append(_notarize(agent, json.dumps(child)))
    grandchild = {**child, "parentRecordId": records[-1], "references": {"ticket": "OPS-17"}}
    records.append(_notarize(agent, json.dumps(grandchild)))
    statements = [
        _statement(entry["signedStatement"], entry["body"], record, entry)
        for record in records
        for entry in agent.pages(f"/v1/records/{record}/entries")
    ]
    tree = agent.get(f"/v1/records/{root}/audit-export", scope="tree")
    for part in ("genesis", "export"):
        statements.append(_statement(tree[part]["statement"], tree[part]["body"], None, None))
    signed = {
        "name": "server",
        "issuer": tree["issuer"],
        "jwkSet": platform.get("/.well-known/deed-vault-keys.json"),
        "coseKeySet": platform.get_bytes("/.well-known/scitt-keys").hex(),
        "statements": statements,
    }
    return Gathered(signed, root, admin, agent)


def vectors() -> Dict[str, Json]:
    """The statements of testdata/vectors."""
    keys = _read("keys.json")
    found = [*_read("entry.json")["statements"], _read("genesis.json")["genesis"]]
    return {
        "name": "testdata",
        "issuer": found[0]["claims"]["issuer"],
        "jwkSet": keys["jwkSet"],
        "coseKeySet": keys["coseKeySet"],
        "statements": [_vector(one) for one in found],
    }


def canonical_cases() -> List[Dict[str, str]]:
    """JSON texts and their canonical forms."""
    cases: List[Dict[str, str]] = _read("canonical-json.json")["canonical"]
    return cases


def _notarize(agent: Client, body: str) -> str:
    return str(json.loads(agent.post_bytes("/v1/records", body.encode()))["record"]["id"])


def _statement(text: str, body: Json, record: Optional[str], entry: Json) -> Dict[str, Json]:
    statement = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return {
        "statement": statement.hex(),
        "payload": _payload(statement).hex(),
        "body": body,
        "subject": f"urn:uuid:{record}" if record else None,
        "position": entry["position"] if entry else None,
        "previous": entry["previous"] if entry else None,
        "hash": entry["hash"] if entry else None,
    }


def _vector(one: Dict[str, Json]) -> Dict[str, Json]:
    link = one["claims"]["link"] or {}
    return {
        "statement": one["statement"],
        "payload": one["bodyHash"],
        "body": one["body"],
        "subject": f"urn:uuid:{one['claims']['subject']}",
        "position": link.get("position"),
        "previous": link.get("previous"),
        "hash": one["entryHash"],
    }


def _payload(statement: bytes) -> bytes:
    """The payload by its place: 0x5820 and 32 bytes before 0x5840 and the 64 of the signature.
    The judges of signatures compare it with what they decode."""
    payload, signature = statement[-100:-66], statement[-66:]
    if payload[:2] != b"\x58\x20" or signature[:2] != b"\x58\x40":
        raise ValueError(
            "a statement does not end with a payload of 32 bytes and a signature of 64"
        )
    return payload[2:]


def write(folder: Path, sets: List[Dict[str, Json]]) -> Path:
    """Writes the material for the judges."""
    file = folder / "material.json"
    file.write_text(json.dumps({"sets": sets, "canonical": canonical_cases()}), encoding="utf-8")
    return file


def _read(name: str) -> Json:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))
