"""A `deed up` of its own for the length of a run, or a server that runs already."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Dict, Iterator, List, Optional, TextIO, Tuple

from .client import Client, Refused
from .paths import DEED

PLATFORM_KEY = re.compile(r"deed_plt_[A-Za-z0-9_-]+")
# The first start may have to fetch PostgreSQL.
START_SECONDS = 300
STOP_SECONDS = 60
# `deed` refuses variables that begin like its own and that it does not know.
OWN_PREFIXES = (
    "DATABASE_",
    "DEED_",
    "VAULT_",
    "API_",
    "LISTEN_",
    "WORKER_",
    "WEBHOOK_",
    "LOG_",
    "HTTP_",
    "ISSUER_",
    "ANCHOR_",
)
PASSED_ON = ("DEED_POSTGRES_BIN", "DEED_POSTGRES_USER")


class CannotStart(Exception):
    """Why there is no server to work with."""


@contextlib.contextmanager
def deed_server(
    log: Path, url: Optional[str] = None, variables: Optional[Dict[str, str]] = None
) -> Iterator[Client]:
    """A client with a platform key: of a fresh server with these further variables, or of `url` with
    DEED_PLATFORM_KEY."""
    if url:
        key = os.environ.get("DEED_PLATFORM_KEY")
        if not key:
            raise CannotStart("--url needs the platform key of that server in DEED_PLATFORM_KEY")
        yield Client(url.rstrip("/"), key)
        return
    # Not under the target folder: as root, PostgreSQL runs as another user, who may not be able
    # to enter the folder of the clone; and socket paths have to be short.
    data = Path(tempfile.mkdtemp(prefix="deed-"))
    data.chmod(0o711)
    try:
        with _up(data, log, variables or {}) as client:
            yield client
    finally:
        shutil.rmtree(data, ignore_errors=True)


@contextlib.contextmanager
def _up(data: Path, log: Path, variables: Dict[str, str]) -> Iterator[Client]:
    if not DEED.exists():
        raise CannotStart(f"{DEED} is missing; build it with: cargo build --release -p deed")
    api, worker = free_ports(2)
    environment = _environment({"WORKER_LISTEN_ADDRESS": f"127.0.0.1:{worker}", **variables})
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as sink:
        process = subprocess.Popen(
            [str(DEED), "up", "--data-dir", str(data / "data"), "--port", str(api)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            text=True,
            errors="replace",
        )
        keys: List[str] = []
        reader = threading.Thread(target=_read, args=(process, sink, keys), daemon=True)
        reader.start()
        try:
            yield _ready(process, keys, f"http://127.0.0.1:{api}", log)
        finally:
            _stop(process)
            reader.join(STOP_SECONDS)


def _environment(extra: Dict[str, str]) -> Dict[str, str]:
    """Ours without the settings of other Deeds."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_ON or not name.startswith(OWN_PREFIXES)
    }
    return {**kept, **extra}


def free_ports(count: int) -> Tuple[int, ...]:
    """Ports of 127.0.0.1 that nobody listened on a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return tuple(one.getsockname()[1] for one in sockets)


def _read(process: "subprocess.Popen[str]", sink: TextIO, keys: List[str]) -> None:
    """Keeps the output, without the platform key that it shows."""
    assert process.stdout is not None
    for line in process.stdout:
        keys.extend(PLATFORM_KEY.findall(line))
        sink.write(PLATFORM_KEY.sub("deed_plt_...", line))
        sink.flush()


def _ready(process: "subprocess.Popen[str]", keys: List[str], base: str, log: Path) -> Client:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise CannotStart(f"deed up ended with {process.returncode}; its output:\n{_tail(log)}")
        if keys and _answers(base):
            return Client(base, keys[0])
        time.sleep(0.1)
    raise CannotStart(f"deed up was not ready after {START_SECONDS} s; its output:\n{_tail(log)}")


def _answers(base: str) -> bool:
    try:
        Client(base, timeout=5).get_bytes("/readyz")
        return True
    except (OSError, Refused):
        return False


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8").splitlines()[-20:])


def _stop(process: "subprocess.Popen[str]") -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        print(f"deed up did not stop within {STOP_SECONDS} s and is killed", file=sys.stderr)
        process.kill()
        process.wait()
