"""A small fake of the Kubernetes API for Secrets of one namespace, which the real kubectl talks to: create, get, replace
with a resourceVersion, delete. Nothing is kept on disk. Prints its address."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRETS = {}
VERSIONS = iter(range(1, 1_000_000))
RESOURCES = {
    "kind": "APIResourceList",
    "groupVersion": "v1",
    "resources": [
        {
            "name": "secrets",
            "singularName": "secret",
            "namespaced": True,
            "kind": "Secret",
            "verbs": ["create", "delete", "get", "update"],
        }
    ],
}
DISCOVERY = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": RESOURCES,
}
COLLECTION = "/api/v1/namespaces/default/secrets"


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def fail(self, code, reason):
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
        self.answer(code, status | {"message": reason})

    def body(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or b"{}")

    def keep(self, secret):
        secret["metadata"] |= {"namespace": "default", "resourceVersion": str(next(VERSIONS))}
        SECRETS[secret["metadata"]["name"]] = secret
        return secret

    def do_GET(self):
        path, name = self.path.split("?")[0], self.path.split("?")[0].rpartition("/")[2]
        if path in DISCOVERY:
            self.answer(200, DISCOVERY[path])
        elif path.startswith(COLLECTION + "/") and name in SECRETS:
            self.answer(200, SECRETS[name])
        else:
            self.fail(404, "NotFound")

    def do_POST(self):
        secret = self.body()
        if self.path.split("?")[0] != COLLECTION:
            self.fail(404, "NotFound")
        elif secret["metadata"]["name"] in SECRETS:
            self.fail(409, "AlreadyExists")
        else:
            self.answer(201, self.keep(secret))

    def do_PUT(self):
        secret = self.body()
        stored = SECRETS.get(secret["metadata"]["name"])
        if not stored:
            self.fail(404, "NotFound")
        elif stored["metadata"]["resourceVersion"] != secret["metadata"].get("resourceVersion"):
            self.fail(409, "Conflict")
        else:
            self.answer(200, self.keep(secret))

    def do_DELETE(self):
        self.body()
        name = self.path.split("?")[0].rpartition("/")[2]
        if SECRETS.pop(name, None):
            self.answer(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})
        else:
            self.fail(404, "NotFound")

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
