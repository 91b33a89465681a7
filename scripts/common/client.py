"""A small client of Deed's HTTP API."""

import http.client
import json
import urllib.parse
import uuid
from typing import Any, Dict, Iterator, Optional, Tuple

Json = Any


class Refused(Exception):
    """The server answered with a problem (RFC 9457)."""

    def __init__(self, status: int, problem: Dict[str, Json]) -> None:
        places = [error.get("message", "") for error in problem.get("errors", [])[:1]]
        super().__init__(
            ": ".join([f"{status} {problem.get('title', '')}", problem.get("detail", ""), *places])
        )
        self.status = status
        self.problem = problem


class Client:
    """One API key, one connection that is kept open. `timeout` is in seconds."""

    def __init__(self, base: str, key: str = "", timeout: float = 60.0) -> None:
        self.base = base
        self.key = key
        self._timeout = timeout
        self._connection: Optional[http.client.HTTPConnection] = None

    def with_key(self, key: str) -> "Client":
        """The same server with another key."""
        return Client(self.base, key, self._timeout)

    def get(self, path: str, **query: str) -> Json:
        """Reads JSON."""
        return json.loads(self.get_bytes(path, **query))

    def get_bytes(self, path: str, **query: str) -> bytes:
        """Reads an answer as it is."""
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        return self._exchange("GET", target, None, {})

    def pages(self, path: str, **query: str) -> Iterator[Json]:
        """Every item of a list that comes in pages."""
        while True:
            page = self.get(path, **query)
            yield from page["items"]
            if page["nextCursor"] is None:
                return
            query["cursor"] = page["nextCursor"]

    def post(self, path: str, body: Json, idempotency_key: str = "") -> Json:
        """Sends JSON and reads the JSON answer."""
        return json.loads(self.post_bytes(path, json.dumps(body).encode(), idempotency_key))

    def post_bytes(self, path: str, body: bytes, idempotency_key: str = "") -> bytes:
        """Sends JSON text as it is. The idempotency key is a random one unless it is given."""
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": idempotency_key or str(uuid.uuid4()),
        }
        return self._exchange("POST", path, body, headers)

    def _exchange(
        self, method: str, target: str, body: Optional[bytes], headers: Dict[str, str]
    ) -> bytes:
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        try:
            status, answer = self._send(method, target, body, headers)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            # The server closed an idle connection. Every POST has an idempotency key.
            self._connection = None
            status, answer = self._send(method, target, body, headers)
        if 200 <= status < 300:
            return answer
        raise Refused(status, _problem(answer))

    def _send(
        self, method: str, target: str, body: Optional[bytes], headers: Dict[str, str]
    ) -> Tuple[int, bytes]:
        if self._connection is None:
            where = urllib.parse.urlsplit(self.base)
            kind = (
                http.client.HTTPSConnection
                if where.scheme == "https"
                else http.client.HTTPConnection
            )
            self._connection = kind(where.netloc, timeout=self._timeout)
        self._connection.request(method, target, body, headers)
        response = self._connection.getresponse()
        return response.status, response.read()


def _problem(answer: bytes) -> Dict[str, Json]:
    try:
        problem = json.loads(answer)
    except ValueError:
        problem = None
    return (
        problem
        if isinstance(problem, dict)
        else {"detail": answer[:200].decode("utf-8", "replace")}
    )


def agent_in_new_org(platform: Client, org: str, agent: str) -> Tuple[Client, Client]:
    """Makes an organisation and an agent in it; clients of an admin's and of the agent's key."""
    org_id = platform.post("/v1/admin/orgs", {"name": org})["id"]
    agent_id = platform.post("/v1/admin/agents", {"orgId": org_id, "name": agent})["id"]

    def mint(**wanted: str) -> Client:
        wanted["orgId"] = org_id
        return platform.with_key(platform.post("/v1/admin/api-keys", wanted)["secret"])

    return mint(role="admin"), mint(role="agent", agentId=agent_id)
