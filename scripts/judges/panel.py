"""The judges: how each is obtained and heard."""

import json
import shutil
from pathlib import Path
from typing import Callable, List

from common import npm

import envs
import fuzz
import ours
from bench import Bench, Finding, Judge, Wrong, run

INSIDE = Path(__file__).resolve().parent / "inside"
CANONICALIZE = npm.Package(
    "canonicalize",
    "4.0.0",
    "FEdXzwWs+N3rZqEqpqleiY9M1A6IAf9oo1zHFABnLW9FcJ/jzsu+G/Ks3Hq3FglmPKe80GeGBw8ZXLEnwPB0vQ==",
)
OLDEST_NODE = 18
SHOWN_FAILURES = 3


def _in_environment(
    name: str, script: str, argument: Callable[[Bench], Path]
) -> Callable[[Bench], Finding]:
    """A judge of PyPI, heard in its environment."""

    def hear(bench: Bench) -> Finding:
        python = envs.environment(name, bench.folder)
        return _finding([python, str(INSIDE / script), str(argument(bench))])

    return hear


def _canonicalize(bench: Bench) -> Finding:
    """npm `canonicalize`, in Node.js."""
    node = shutil.which("node")
    if node is None:
        raise envs.Skipped("node is not installed")
    release = run([node, "--version"]).stdout.strip()
    if int(release.lstrip("v").split(".")[0]) < OLDEST_NODE:
        raise envs.Skipped(f"node is {release}, and it needs {OLDEST_NODE} or later")
    tarball = npm.obtain(CANONICALIZE, bench.folder / "npm")
    # An .mjs file is an ECMAScript module wherever it lies.
    library = bench.folder / "npm" / f"canonicalize-{CANONICALIZE.version}.mjs"
    library.write_bytes(npm.read(tarball, "lib/canonicalize.js"))
    return _finding(
        [node, str(INSIDE / "canonicalize_judge.mjs"), str(bench.material), str(library)]
    )


def _finding(command: List[str]) -> Finding:
    """Runs a judge that prints its verdict as a line of JSON."""
    done = run(command)
    if done.returncode != 0:
        raise Wrong(f"it broke off: {done.stderr.strip()[-800:]}")
    verdict = json.loads(done.stdout.splitlines()[-1])
    failures = verdict["failures"]
    if failures:
        raise Wrong(
            f"{len(failures)} of its checks failed: " + "; ".join(failures[:SHOWN_FAILURES])
        )
    return Finding(verdict["checked"], verdict["refused"])


def _pypi(name: str, judged: str, about: str, script: str) -> Judge:
    """A judge of signatures or hashes."""
    return Judge(
        name,
        envs.version(name),
        judged,
        about,
        _in_environment(name, script, lambda bench: bench.material),
    )


JUDGES: List[Judge] = [
    _pypi("scitt-cose", "signatures and claims, JWK Set", "signatures", "scitt_cose_judge.py"),
    _pypi("cwt", "signatures and claims, COSE Key Set, JWK Set", "signatures", "cwt_judge.py"),
    _pypi("rfc8785", "body hashes, canonical forms", "hashes", "rfc8785_judge.py"),
    Judge(
        "canonicalize",
        CANONICALIZE.version,
        "body hashes, canonical forms",
        "hashes",
        _canonicalize,
    ),
    Judge(
        "openapi-spec-validator",
        envs.version("openapi-spec-validator"),
        "operations of /openapi.json",
        "api",
        _in_environment("openapi-spec-validator", "openapi_judge.py", lambda bench: bench.openapi),
    ),
    Judge(
        "schemathesis",
        envs.version("schemathesis"),
        "answers to made-up requests, as documented",
        "api",
        fuzz.hear,
    ),
    Judge(
        "hashlib",
        "Python",
        "entry hashes and links (RFC 9162 leaf hash)",
        "chain",
        ours.leaf_hashes,
    ),
    Judge(
        "JCS vectors",
        envs.version("rfc8785"),
        "our canonical JSON, vectors of RFC 8785",
        "vectors",
        ours.jcs,
    ),
    Judge("Wycheproof", "", "our Ed25519 verification", "vectors", ours.wycheproof),
]
