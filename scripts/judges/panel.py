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
# The library, and what it needs.
STANDARD_WEBHOOKS = [
    npm.Package(
        "standardwebhooks",
        "1.1.1",
        "bCbX9ZEyFkWPsRz7Bl3NuQUJohmwGSev/yhr7vhaGPlc4AfIrspIRa6cPTBuI1ItmrTDJ4d/S2hCsfe4+vQGnQ==",
    ),
    npm.Package(
        "@stablelib/base64",
        "1.0.1",
        "1bnPQqSxSuc3Ii6MhBysoWCg58j97aUjuCSZrGSmDxNqtytIi0k8utUenAwTZN4V5mXXYGsVUI9zeBqy+jBOSQ==",
    ),
    npm.Package(
        "fast-sha256",
        "1.3.0",
        "n11RGP/lrWEFI/bWdygLxhI+pVeo1ZYIVwvvPkW7azl/rOy+F3HYRZ2K5zeE9mmkhQppyv9sQFx0JM9UabnpPQ==",
    ),
]
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


def _node() -> str:
    """Node.js, new enough."""
    node = shutil.which("node")
    if node is None:
        raise envs.Skipped("node is not installed")
    release = run([node, "--version"]).stdout.strip()
    if int(release.lstrip("v").split(".")[0]) < OLDEST_NODE:
        raise envs.Skipped(f"node is {release}, and it needs {OLDEST_NODE} or later")
    return node


def _canonicalize(bench: Bench) -> Finding:
    """npm `canonicalize`, in Node.js."""
    node = _node()
    tarball = npm.obtain(CANONICALIZE, bench.folder / "npm")
    # An .mjs file is an ECMAScript module wherever it lies.
    library = bench.folder / "npm" / f"canonicalize-{CANONICALIZE.version}.mjs"
    library.write_bytes(npm.read(tarball, "lib/canonicalize.js"))
    return _finding(
        [node, str(INSIDE / "canonicalize_judge.mjs"), str(bench.material), str(library)]
    )


def _standard_webhooks(bench: Bench) -> Finding:
    """npm `standardwebhooks`, in Node.js."""
    node, deliveries = _node(), _deliveries(bench)
    home = bench.folder / "npm" / "standardwebhooks"
    for package in STANDARD_WEBHOOKS:
        tarball = npm.obtain(package, bench.folder / "npm")
        npm.unpack(tarball, home / "node_modules" / package.name)
    return _finding([node, str(INSIDE / "standardwebhooks_judge.cjs"), str(deliveries), str(home)])


def _deliveries(bench: Bench) -> Path:
    if bench.deliveries is None:
        raise envs.Skipped("there are no deliveries")
    return bench.deliveries


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
    # First: the libraries refuse a delivery that is more than five minutes old.
    Judge(
        "standardwebhooks",
        envs.version("standardwebhooks"),
        "HMAC deliveries of webhooks",
        "webhooks",
        _in_environment("standardwebhooks", "standardwebhooks_judge.py", _deliveries),
    ),
    Judge(
        "standardwebhooks (npm)",
        STANDARD_WEBHOOKS[0].version,
        "HMAC deliveries of webhooks",
        "webhooks",
        _standard_webhooks,
    ),
    Judge(
        "http-message-signatures",
        envs.version("http-message-signatures"),
        "Ed25519 deliveries of webhooks (RFC 9421, RFC 9530)",
        "webhooks",
        _in_environment(
            "http-message-signatures", "http_message_signatures_judge.py", _deliveries
        ),
    ),
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
