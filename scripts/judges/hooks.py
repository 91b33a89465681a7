"""Deliveries of webhooks, as an HTTPS endpoint on loopback gets them."""

import base64
import http.server
import json
import queue
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

from common.client import Client

import envs

Json = Any
HERE = Path(__file__).resolve().parent
# The environment that has the library which makes the certificate, and that of a judge.
MAKER = "http-message-signatures"
DELIVERIES_EACH = 8
PATIENCE_SECONDS = 60


class Pki(NamedTuple):
    """An authority that the server is told to trust, and what an endpoint needs."""

    authority: Path
    certificate: Path
    key: Path


def certificates(folder: Path) -> Pki:
    """Makes them anew."""
    python = envs.environment(MAKER, folder)
    pki = Pki(*(folder / f"endpoint-{name}.pem" for name in Pki._fields))
    command = [python, str(HERE / "inside" / "make_certificate.py"), *map(str, pki)]
    subprocess.run(command, check=True, timeout=60)
    return pki


def variables(pki: Pki) -> Dict[str, str]:
    """What lets a server deliver to the endpoint."""
    return {"WEBHOOK_ALLOWED_NETWORKS": "127.0.0.1/32", "WEBHOOK_CA_FILE": str(pki.authority)}


def gather(admin: Client, agent: Client, record: str, pki: Pki, folder: Path) -> Path:
    """Makes webhooks of each kind, notarizes, and keeps what was delivered."""
    arrived: "queue.Queue[Json]" = queue.Queue()
    server = _endpoint(pki, arrived)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        hooks = _make(admin, f"https://127.0.0.1:{server.server_port}")
        for number in range(DELIVERIES_EACH):
            text = {"text": f"delivered {number}: ünïcödé \U0001f30d \\ \" \u2028"}
            agent.post(f"/v1/records/{record}/notes", text)
        deliveries = _collect(hooks, arrived)
    finally:
        server.shutdown()
        server.server_close()
    keys = admin.get("/.well-known/deed-vault-keys.json")
    file = folder / "deliveries.json"
    file.write_text(json.dumps({"jwkSet": keys, "deliveries": deliveries}), encoding="utf-8")
    return file


def _make(admin: Client, base: str) -> Dict[str, Json]:
    """Webhooks by the path of their URLs: how they sign, and the secrets that receivers know."""
    hooks: Dict[str, Json] = {}
    for format in ("standard", "cloudevents"):
        for alg in ("hmac", "ed25519"):
            path = f"/{alg}/{format}?a=b"
            wanted = {"url": base + path, "eventTypes": ["*"], "format": format, "signingAlg": alg}
            made = admin.post("/v1/webhooks", wanted)
            secrets = [made["secret"]] if alg == "hmac" else []
            hooks[path] = {"alg": alg, "url": made["webhook"]["url"], "secrets": secrets}
    wanted = {"url": f"{base}/rotated", "eventTypes": ["*"], "signingAlg": "hmac"}
    made = admin.post("/v1/webhooks", wanted)
    rotated = admin.post(f"/v1/webhooks/{made['webhook']['id']}/rotate-secret", {})
    secrets = [made["secret"], rotated["secret"]]
    hooks["/rotated"] = {"alg": "hmac", "url": f"{base}/rotated", "secrets": secrets}
    return hooks


def _collect(hooks: Dict[str, Json], arrived: "queue.Queue[Json]") -> List[Json]:
    wanted = {path: DELIVERIES_EACH for path in hooks}
    deliveries = []
    while any(count > 0 for count in wanted.values()):
        try:
            one = arrived.get(timeout=PATIENCE_SECONDS)
        except queue.Empty:
            missing = {path: count for path, count in wanted.items() if count > 0}
            raise ValueError(f"deliveries did not arrive: {missing}") from None
        wanted[one["path"]] -= 1
        deliveries.append({**hooks[one["path"]], **one})
    return deliveries


def _endpoint(pki: Pki, arrived: "queue.Queue[Json]") -> http.server.ThreadingHTTPServer:
    class Endpoint(http.server.BaseHTTPRequestHandler):
        """Takes everything."""

        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # noqa: N802, the name that http.server wants
            """Keeps a delivery."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            one = {
                "path": self.path,
                "headers": list(self.headers.items()),
                "body": base64.b64encode(body).decode(),
            }
            arrived.put(one)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.certificate, pki.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server
