"""Judges by their data: vectors from outside that go through our own code, and plain hashing."""

import hashlib
import json
import os
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any, Dict, List

from common.paths import ROOT

import envs
from bench import Bench, Finding, Wrong, run

PASSED = re.compile(r"test result: ok\. (\d+) passed; 0 failed")
# In the source archive of PyPI rfc8785.
ASSETS = re.compile(r"[^/]+/test/assets/(input|output)/([a-z]+\.json)")


def leaf_hashes(bench: Bench) -> Finding:
    """Entry hash = SHA-256(0x00 || statement); the `previous` of an entry is the hash of the one
    before it in its record, or of the genesis statement; a child names the hash of its parent."""
    group = json.loads(bench.material.read_text(encoding="utf-8"))["sets"][0]
    entries = [one for one in group["statements"] if one["position"] is not None]
    genesis = next(one for one in group["statements"] if one["body"]["kind"] == "genesis")
    heads = {(one["subject"], one["position"]): _leaf_hash(one) for one in entries}
    checks = []
    for one in entries:
        before = heads.get((one["subject"], one["position"] - 1), _leaf_hash(genesis))
        checks += [one["hash"] == _leaf_hash(one), one["previous"] == before]
        parent = one["body"].get("parent")
        if parent:
            of_parent = {
                hash for (subject, _), hash in heads.items() if subject.endswith(parent["recordId"])
            }
            checks.append(parent["entryHash"] in of_parent)
    if not all(checks):
        raise Wrong(f"{checks.count(False)} hashes or links are wrong")
    return Finding(len(checks), 0)


def _leaf_hash(one: Dict[str, Any]) -> str:
    return hashlib.sha256(b"\x00" + bytes.fromhex(one["statement"])).hexdigest()


def jcs(bench: Bench) -> Finding:
    """The vectors of RFC 8785's author, from the source archive of PyPI `rfc8785`."""
    folder = bench.folder / "jcs"
    shutil.rmtree(folder, ignore_errors=True)
    count = 0
    with tarfile.open(envs.source("rfc8785", bench.folder), "r:gz") as archive:
        for member in archive:
            match = ASSETS.fullmatch(member.name)
            if match and member.isfile():
                file = folder / match.group(1) / match.group(2)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(archive.extractfile(member).read())  # type: ignore[union-attr]
                count += match.group(1) == "input"
    _cargo_test(
        ["--test", "jcs_reference", "--", "--ignored"], {"DEED_JCS_VECTORS": str(folder.resolve())}
    )
    return Finding(count, 0)


def wycheproof(_bench: Bench) -> Finding:
    """The Ed25519 set of Project Wycheproof, by the test of crates/chain."""
    _cargo_test(["--test", "it", "wycheproof"], {})
    crate = _crate("wycheproof")
    results = [
        test["result"]
        for group in _ed25519(Path(crate["manifest_path"]).parent)["testGroups"]
        for test in group["tests"]
    ]
    good = results.count("valid")
    return Finding(good, len(results) - good, crate["version"])


def _ed25519(folder: Path) -> Dict[str, Any]:
    found = sorted(folder.rglob("ed25519_test.json"))
    if len(found) != 1:
        raise Wrong(f"the crate has {len(found)} files ed25519_test.json")
    vectors: Dict[str, Any] = json.loads(found[0].read_text(encoding="utf-8"))
    return vectors


def _cargo_test(arguments: List[str], extra: Dict[str, str]) -> None:
    """Runs one test of crates/chain; a filter that finds no test is an error."""
    command = ["cargo", "test", "--locked", "-p", "deed-chain", *arguments]
    done = run(command, ROOT, {**os.environ, **extra})
    passed = PASSED.search(done.stdout)
    if done.returncode != 0 or passed is None or passed.group(1) != "1":
        raise Wrong(f"{' '.join(command)}: {(done.stdout + done.stderr).strip()[-800:]}")


def _crate(name: str) -> Dict[str, Any]:
    done = run(["cargo", "metadata", "--locked", "--format-version", "1"], ROOT)
    if done.returncode != 0:
        raise Wrong(f"cargo metadata: {done.stderr.strip()[-800:]}")
    return next(
        package for package in json.loads(done.stdout)["packages"] if package["name"] == name
    )
