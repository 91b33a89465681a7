"""What is checked afterwards: exports, a forged export, the search by reference, a retry."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Set

from common.client import Client
from common.paths import DEED
from data import Delivery
from notarize import idempotency_key, references, request

VERIFY_SECONDS = 60
VALID, TAMPERED = 0, 1


class Verified(NamedTuple):
    """How `deed verify` ended, and what it printed."""

    code: int
    output: str


def verify(export: Path, keys: Path) -> Verified:
    """Runs `deed verify`: a program that is told nothing but an export and public keys."""
    command = [str(DEED), "verify", str(export), "--keys", str(keys)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=VERIFY_SECONDS, check=False
    )
    return Verified(done.returncode, (done.stdout + done.stderr).strip())


def export_all(
    agent: Client, ids: List[str], folder: Path, progress: Callable[[int], None]
) -> List[Path]:
    """Writes the export of every record into a file of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = []
    for record_id in ids:
        file = folder / f"{record_id}.json"
        file.write_bytes(agent.get_bytes(f"/v1/records/{record_id}/audit-export"))
        files.append(file)
        progress(len(files))
    return files


def forge(export: Path, into: Path) -> str:
    """Writes the export with another sender: one byte is changed. Says what was changed."""
    text = export.read_bytes()
    place = text.index(b'"sender":{')
    start = text.index(b'"login":"', place) + len(b'"login":"')
    end = text.index(b'"', start)
    forged = bytes([text[start] ^ 0x01])
    into.write_bytes(text[:start] + forged + text[start + 1 :])
    before = text[start:end].decode()
    return f"the sender {before!r} was made {forged.decode() + before[1:]!r}"


def found_by_repository(agent: Client, recorded: Dict[str, Delivery]) -> bool:
    """Whether a search by the reference `repository` finds, for each, exactly our records."""
    wanted: Dict[str, Set[str]] = {}
    for record_id, delivery in recorded.items():
        repository = references(delivery).get("repository")
        if repository:
            wanted.setdefault(repository, set()).add(record_id)
    return all(
        ids
        == {
            item["id"]
            for item in agent.pages(
                "/v1/records", referenceKey="repository", referenceValue=repository
            )
        }
        for repository, ids in wanted.items()
    )


def retried_alike(agent: Client, delivery: Delivery) -> bool:
    """Whether the same request under the same key gets the same answer twice, byte for byte."""
    body = json.dumps(request(delivery)).encode()
    key = idempotency_key(delivery, "retry")
    first, second = (agent.post_bytes("/v1/records", body, key) for _ in range(2))
    return first == second
