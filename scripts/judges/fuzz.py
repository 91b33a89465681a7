"""PyPI `schemathesis`: requests made up from /openapi.json, and what the server answers to them."""

import json
import os

import envs
from bench import Bench, Finding, Wrong, run

EXAMPLES_PER_OPERATION = 10
# Not the phase `stateful`: it would find and revoke the key that it uses.
ARGUMENTS = [
    "--phases=examples,coverage,fuzzing",
    "--checks=not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance",
    "--generation-deterministic",
    f"--max-examples={EXAMPLES_PER_OPERATION}",
    "--request-timeout=30",
    "--no-color",
]
# The key comes from the environment, so that no list of processes shows it.
CONFIG = """headers = {{ Authorization = "Bearer ${{DEED_ADMIN_KEY}}" }}

[[operations]]
include-path-regex = "^/v1/records/[{{]id[}}]"
parameters = {{ id = "{record}" }}
"""


def hear(bench: Bench) -> Finding:
    """No answer is a 5xx; each has a status, a media type and a content that are documented."""
    python = envs.environment("schemathesis", bench.folder)
    config, report = bench.folder / "schemathesis.toml", bench.folder / "schemathesis.json"
    config.write_text(CONFIG.format(record=bench.record), encoding="utf-8")
    report.unlink(missing_ok=True)
    command = [python, "-m", "schemathesis.cli", f"--config-file={config}", "run", *ARGUMENTS]
    command += [f"--report-json-path={report}", f"{bench.admin.base}/openapi.json"]
    done = run(command, bench.folder, {**os.environ, "DEED_ADMIN_KEY": bench.admin.key})
    if done.returncode != 0:
        raise Wrong((done.stdout + done.stderr).strip()[-1500:])
    cases = json.loads(report.read_text(encoding="utf-8"))["test_cases"]
    return Finding(cases["generated"] - cases["without_checks"], 0)
