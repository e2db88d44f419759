"""Judges signatures of OAuth 1.0a with oauthlib, as a server and as a client.

judge.py serve: an HTTP server on a free port of loopback, which is printed; it ends with its standard input. Each POST
brings a JSON list of requests; the answer is the list of verdicts: null if accepted, else why not. Nonces are
remembered as long as the server lives.

judge.py client API AUTH KEY SECRET PATH: connects to AWeber (a sandbox) with oauthlib's client and asks for PATH, with
the parameters in the header, in the query and, for the tokens, in the body.
"""

import json
import os
import re
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, urlsplit

from oauthlib import oauth1
from oauthlib.oauth1.rfc5849 import errors


class Validator(oauth1.RequestValidator):
    """Knows the keys of the request that it judges, and all nonces so far."""

    enforce_ssl = False
    timestamp_lifetime = 300
    allowed_signature_methods = ("HMAC-SHA1",)
    dummy_client = dummy_access_token = dummy_request_token = "dummy"

    def __init__(self):
        self.seen = set()
        self.keys = {}

    # The keys of a sandbox have hyphens and other lengths than oauthlib expects; nonces are judged by its own rule.
    def check_client_key(self, client_key):
        return bool(client_key)

    check_access_token = check_request_token = check_verifier = check_client_key

    def validate_client_key(self, client_key, request):
        return client_key == self.keys["client"][0]

    def get_client_secret(self, client_key, request):
        return self.keys["client"][1] if self.validate_client_key(client_key, request) else "dummy"

    def validate_access_token(self, client_key, token, request):
        return bool(self.keys.get("token")) and token == self.keys["token"][0]

    validate_request_token = validate_access_token

    def get_access_token_secret(self, client_key, token, request):
        return self.keys["token"][1] if self.keys.get("token") else "dummy"

    get_request_token_secret = get_access_token_secret

    def validate_timestamp_and_nonce(self, client_key, timestamp, nonce, request, request_token=None, access_token=None):
        stamp = (client_key, timestamp, nonce)
        is_new = stamp not in self.seen
        self.seen.add(stamp)
        return is_new

    def validate_redirect_uri(self, client_key, redirect_uri, request):
        return redirect_uri == "oob"

    def validate_requested_realms(self, client_key, realms, request):
        return True

    def validate_realms(self, client_key, token, request, uri=None, realms=None):
        return True

    def get_default_realms(self, client_key, request):
        return []

    def validate_verifier(self, client_key, token, verifier, request):
        return verifier == self.keys["verifier"]


VALIDATOR = Validator()
SERVER = oauth1.WebApplicationServer(VALIDATOR)


def verdict(item):
    VALIDATOR.keys = item
    headers = {"Authorization": item["header"]}
    path = urlsplit(item["url"]).path
    arguments = (item["url"], item["method"], "", headers)
    try:
        if path.endswith("/oauth/request_token"):
            request = SERVER._create_request(*arguments)
            valid, _ = SERVER.validate_request_token_request(request)
        elif path.endswith("/oauth/access_token"):
            request = SERVER._create_request(*arguments)
            valid, _ = SERVER.validate_access_token_request(request)
        else:
            valid, request = SERVER.validate_protected_resource_request(*arguments, realms=[])
    except (errors.OAuth1Error, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return None if valid else "refused: " + json.dumps(request.validator_log)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        items = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps([verdict(item) for item in items]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def serve():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    server.serve_forever()


def fetch(client, url, method="GET", body=None):
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
    url, headers, body = client.sign(url, method, body, headers)
    data = body.encode() if isinstance(body, str) else body
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request) as answer:
        return answer.read().decode()


def connect_with(place, api, auth, key, secret, path):
    # Parameters in the body need a form, also an empty one.
    body = {} if place == oauth1.SIGNATURE_TYPE_BODY else None
    client = oauth1.Client(key, secret, callback_uri="oob", signature_type=place)
    token = dict(parse_qsl(fetch(client, f"{auth}/1.0/oauth/request_token", "POST", body)))
    assert token["oauth_callback_confirmed"] == "true", token
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    page = opener.open(f"{auth}/1.0/oauth/authorize?oauth_token={quote(token['oauth_token'])}").read().decode()
    verifier = re.search(r'id="code">([^<]+)<', page).group(1)
    keys = {"resource_owner_key": token["oauth_token"], "resource_owner_secret": token["oauth_token_secret"]}
    client = oauth1.Client(key, secret, verifier=verifier, signature_type=place, **keys)
    token = dict(parse_qsl(fetch(client, f"{auth}/1.0/oauth/access_token", "POST", body)))
    keys = {"resource_owner_key": token["oauth_token"], "resource_owner_secret": token["oauth_token_secret"]}
    if place == oauth1.SIGNATURE_TYPE_BODY:
        place = oauth1.SIGNATURE_TYPE_AUTH_HEADER
    client = oauth1.Client(key, secret, signature_type=place, **keys)
    print(fetch(client, api + path))
    wrong = oauth1.Client(key, secret + "x", signature_type=place, **keys)
    try:
        fetch(wrong, api + path)
    except urllib.error.HTTPError as error:
        assert error.code == 401 and "signature" in error.read().decode(), error
    else:
        sys.exit("a wrong secret was accepted")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        for where in (oauth1.SIGNATURE_TYPE_AUTH_HEADER, oauth1.SIGNATURE_TYPE_QUERY, oauth1.SIGNATURE_TYPE_BODY):
            connect_with(where, *sys.argv[2:])
