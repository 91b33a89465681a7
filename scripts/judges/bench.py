"""What a judge is, what is before it and what it finds."""

import subprocess
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional

from common.client import Client

# A build of tests may be part of it.
JUDGE_SECONDS = 1200


class Wrong(Exception):
    """What a judge found wrong."""


class Bench(NamedTuple):
    """What is before the judges: files with what was signed and with the API's description, and a
    server with a record that an admin may read. They work in `folder`. There are no `deliveries` of a server
    that was not started here: it would not deliver to loopback."""

    folder: Path
    material: Path
    openapi: Path
    statements: int
    record: str
    admin: Client
    deliveries: Optional[Path]


class Finding(NamedTuple):
    """Checks that came out well, and forgeries that were refused; the version where it is not
    known before."""

    good: int
    refused: int
    version: str = ""


class Judge(NamedTuple):
    """A judge; `about` is what at least one judge has to be heard about."""

    name: str
    version: str
    judged: str
    about: str
    hear: Callable[[Bench], Finding]


def run(
    command: List[str], folder: Optional[Path] = None, environment: Optional[Dict[str, str]] = None
) -> "subprocess.CompletedProcess[str]":
    """Runs a program to its end and keeps what it prints."""
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=JUDGE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise Wrong(f"{command[0]} took more than {JUDGE_SECONDS} s") from late
