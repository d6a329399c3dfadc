#!/usr/bin/env python3
"""The tour: requests through a real Envoy, what each should get, what it got, and why: the refusal's
reason, or the identity that the upstream saw.

    tour.py demo      starts everything, sends the requests, stops it; exit status 0 only if every answer is as expected
    tour.py up        starts everything, leaves it running and prints requests to try
    tour.py down      ends what `up` started
    tour.py visit ENVOY MODELS PROVIDER AUTHORITY AUTHORITY_ADMIN      the same requests against one that runs elsewhere, by its URLs
"""

import base64
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from typing import Callable, Optional

from stage import ROOT, Failed, Stage

# The secrets of authority/tour.toml and authority/tour-agents.toml, and the keys of policies/tour.yaml: public, for this tour only.
SECRETS = {
    "reader": "reader-secret-3f9c1a7e5b2d8046",
    "writer": "writer-secret-8d21c6f04e7ab395",
    "edward": "edward-secret-51b7e0d93c6f2a84",
    "stranger": "stranger-secret-c04a96e1f87d3b52",
    "shortlived": "shortlived-secret-7e2f5d1b9a0c4836",
    "opaque": "opaque-secret-29d6b8f3a1c5e740",
    "alice": "alice-secret-15d9259e19ba8f5b",
    "agent": "agent-secret-20a355369239bd96",
    "approved": "approved-secret-a70d5028d463b9d4",
}
API_KEY = "tour-key-of-ci-bot-4f1d7a90c2e35b68"
EXPIRED_API_KEY = "tour-key-of-last-year-8b3c6e1f70a94d25"
UNKNOWN_API_KEY = "tour-key-of-nobody-0000000000000000"

# The host of the tour's MCP server.
MCP = "mcp.example.com"

# How soon a change at the authority counts: the policy's refresh_interval, the fetch's timeout, and a second.
SOON = 1 + 2 + 1


# === Requests ===


@dataclass
class Answer:
    status: int
    headers: list
    body: bytes
    took: float = 0.0
    note: str = ""  # what the row itself observed, if that says more than the body
    wrong: str = ""  # what it observed that is wrong

    def json(self):
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def verdict(self):
        """`200`, or `401 TOKEN_EXPIRED`."""
        return f"{self.status} {self.json().get('code', '')}".strip()

    @property
    def seen(self):
        """The headers that reached the upstream."""
        return self.json().get("headers", {})

    @property
    def why(self):
        if self.note:
            return self.note
        if self.status != 200:
            return self.json().get("error_description") or self.body[:60].decode(errors="replace")
        who = [f"{name[7:]}={value}" for name, value in sorted(self.seen.items()) if name.startswith("x-auth-")]
        return " ".join(who) or "no identity"


def ask(url, method, path, headers=None, body=None):
    """One request, its path byte for byte as given."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=20)
    began = time.monotonic()
    try:
        connection.request(method, path, body=body, headers=headers or {})
        reply = connection.getresponse()
        return Answer(reply.status, reply.getheaders(), reply.read(), time.monotonic() - began)
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, [], f"no answer: {error}".encode())
    finally:
        connection.close()


@dataclass
class Visit:
    """One run of all rows against one stage."""

    envoy: str
    models: str  # Envoy's listener in front of the model provider
    provider: str
    authority: str
    authority_admin: str
    stage: Optional[Stage] = None  # if it is ours: then the tour may also kill its processes
    tokens: dict = field(default_factory=dict)
    teams: dict = field(default_factory=dict)  # the API keys of teams that only this visit knows

    def get(self, path, **headers):
        return self.send("GET", path, **headers)

    def send(self, method, path, **headers):
        return ask(self.envoy, method, path, {name.replace("_", "-"): value for name, value in headers.items()})

    def bearer(self, client):
        return "Bearer " + self.token(client)

    def token(self, client):
        """The client's token, requested once; text after a comma tells several of its tokens apart."""
        if client not in self.tokens:
            self.tokens[client] = self.new_token(client.partition(",")[0])
        return self.tokens[client]

    def new_token(self, client, proof=None):
        return self.as_client(client, "/token", proof, grant_type="client_credentials").json()["access_token"]

    def exchanged(self, client, subject):
        """RFC 8693: the client's token for acting for whom the subject's token is about."""
        return self.as_client(
            client, "/token", grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
            subject_token=self.token(subject), subject_token_type="urn:ietf:params:oauth:token-type:access_token",
        ).json()["access_token"]

    def proof(self, method, url, token=None):
        """RFC 9449: a proof by this visit's key, which the token is then bound to."""
        key = self.stage.folder / "dpop.key"
        made = subprocess.run(
            [ROOT / "target/debug/authority", "proof", method, url, "--key", key] + ["--token"] * bool(token),
            input=token or "", text=True, stdout=subprocess.PIPE, check=True,
        )
        return made.stdout.strip()

    def team(self, name, *scopes):
        """An API key of a team whose budgets nobody has used yet."""
        if name not in self.teams:
            client = f"{name}-{os.urandom(4).hex()}"
            self.teams[name] = self.as_operator("/api-keys", client=client, scopes=scopes).json()["key"]
            known, end = 0, time.monotonic() + SOON
            while known < 8 and time.monotonic() < end:  # each worker reads the list of keys by itself
                known = known + 1 if self.complete(self.teams[name], None).verdict == "400 MALFORMED_BODY" else 0
                time.sleep(0.02)
        return self.teams[name]

    def complete(self, key, model, path="/v1/chat/completions", headers=None, **body):
        """A chat completion, by way of the filter."""
        message = {"model": model, "messages": [{"role": "user", "content": "How many tokens is this?"}], **body}
        return ask(self.models, "POST", path, body=json.dumps(message),
                   headers={"content-type": "application/json", "x-api-key": key, **(headers or {})})

    def revoke(self, client, token):
        """RFC 7009: a client revokes its own token."""
        self.as_client(client, "/revoke", token=token)

    def as_client(self, client, path, proof=None, **form):
        basic = base64.b64encode(f"{client}:{SECRETS[client]}".encode()).decode()
        return must(ask(
            self.authority, "POST", path, body=urllib.parse.urlencode(form),
            headers={
                "authorization": f"Basic {basic}", "content-type": "application/x-www-form-urlencoded",
                **({"dpop": proof} if proof else {}),
            },
        ), path)

    def as_operator(self, path, **body):
        return must(ask(
            self.authority_admin, "POST", path, body=json.dumps(body) if body else None,
            headers={"content-type": "application/json"} if body else None,
        ), path)


def must(answer, path):
    if answer.status // 100 != 2:
        raise Failed(f"the authority answered {path} with {answer.verdict} {answer.why}")
    return answer


def until(verdict, send, seconds=SOON):
    """Repeats the request until that is the answer; returns how long it took."""
    began = time.monotonic()
    while True:
        answer = send()
        took = time.monotonic() - began
        if answer.verdict == verdict or took > seconds:
            return answer, took
        time.sleep(0.02)


# === Forged tokens ===


def segment(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def opened(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def promoted(token):
    """The same token with more rights, under the signature of the old claims."""
    header, claims, signature = token.split(".")
    return ".".join([header, segment(json.dumps({**opened(claims), "scope": "data:read data:write"}).encode()), signature])


def unsigned(token):
    header, claims, _ = token.split(".")
    return ".".join([segment(json.dumps({**opened(header), "alg": "none"}).encode()), claims, ""])


# === The rows ===


@dataclass
class Row:
    request: str
    expected: str
    send: Callable[[Visit], Answer]
    also: Callable[[Answer], Optional[str]] = lambda answer: None  # what is wrong, apart from status and code
    needs_stage: bool = False


def sees(**expected):
    """The upstream must see exactly this identity."""

    def problem(answer):
        expected_headers = {f"x-auth-{name.replace('_', '-')}": value for name, value in expected.items()}
        found = {name: value for name, value in answer.seen.items() if name.replace("_", "-").startswith("x-auth-")}
        if {name: found.get(name) for name in expected_headers} != expected_headers:
            return f"the upstream saw {found}, not {expected_headers}"
        if not expected and found:
            return f"the upstream saw {found}, but the request had no credential"
        return None

    return problem


def after_it_expired(visit):
    token = visit.token("shortlived")
    expiry = opened(token.split(".")[1])["exp"]
    time.sleep(max(0.0, expiry - time.time() + 0.1))
    return visit.get("/data", authorization="Bearer " + token)


def through_a_rotation(visit):
    """Clients send requests while the key changes: neither the old token nor the new one may be refused."""
    answers, over = [], threading.Event()

    def keep_asking(client):
        while not over.is_set():
            answers.append(visit.get("/data", authorization=visit.bearer(client)))

    clients = [threading.Thread(target=keep_asking, args=(name,)) for name in ("reader", "writer", "edward")]
    for client in clients:
        client.start()
    time.sleep(1.2)  # the policy lets unknown keys cause a fetch once a second, and one may have just been made
    old = opened(visit.token("reader").split(".")[0])["kid"]
    visit.as_operator("/keys/rotate")
    token = visit.new_token("reader")
    new = opened(token.split(".")[0])["kid"]
    answer = visit.get("/data", authorization="Bearer " + token)
    time.sleep(0.3)
    over.set()
    for client in clients:
        client.join()

    answer.note = f"new key accepted in {answer.took * 1000:.0f} ms; {len(answers)} requests in flight, none refused"
    refused = sorted({found.verdict for found in answers if found.status != 200})
    if refused:
        answer.wrong = f"of {len(answers)} requests in flight some got {', '.join(refused)}"
    elif old == new:
        answer.wrong = "the authority still signs with the old key"
    return answer


def revoked_by_its_id(visit):
    token = visit.new_token("reader")
    before = visit.get("/data", authorization="Bearer " + token)
    visit.revoke("reader", token)
    answer, took = until("401 TOKEN_REVOKED", lambda: visit.get("/data", authorization="Bearer " + token))
    answer.note = f"it passed, was revoked, and is refused {took * 1000:.0f} ms later"
    if before.status != 200:
        answer.wrong = f"before it was revoked it got {before.verdict}"
    return answer


def revoked_with_all_others(visit):
    """All tokens of a user, and all of a client, until now."""
    notes = []
    for client, entry in (("edward", {"sub": "edward"}), ("writer", {"client_id": "writer"})):
        token = visit.new_token(client)
        before = visit.get("/data", authorization="Bearer " + token)
        visit.as_operator("/revocations", **entry, before=int(time.time()))
        answer, took = until("401 TOKEN_REVOKED", lambda: visit.get("/data", authorization="Bearer " + token))
        notes.append(f"by {next(iter(entry))} in {took * 1000:.0f} ms")
        if before.status != 200:
            answer.wrong = f"before it was revoked {client}'s token got {before.verdict}"
        if answer.wrong or answer.status != 401:
            break
    answer.note = "refused " + ", ".join(notes)
    return answer


def minted(visit):
    key = visit.as_operator("/api-keys", client="robot", scopes=["data:read"], tenant="acme").json()["key"]
    answer, took = until("200", lambda: visit.get("/data", x_api_key=key))
    answer.note = f"{answer.why}, {took * 1000:.0f} ms after it was minted"
    return answer


def for_another_tenant(visit):
    """The tenant that a header names must be the token's."""
    token = visit.bearer("reader")
    own = visit.get("/tenant", authorization=token, x_tenant="acme")
    answer = visit.get("/tenant", authorization=token, x_tenant="globex")
    answer.note = f"{answer.why}; its own tenant, acme, gets {own.verdict}"
    if own.status != 200:
        answer.wrong = f"its own tenant got {own.verdict}"
    return answer


def metadata(visit):
    """RFC 9728: a client without a token is told where to look, and looks there."""
    refused = visit.get("/mcp", host=MCP)
    where = parameter(refused, "resource_metadata")
    answer = visit.get(urllib.parse.urlsplit(where).path or "/", host=MCP)
    found = answer.json()
    answer.note = f"tokens by {', '.join(found.get('authorization_servers', []))}, scopes {' '.join(found.get('scopes_supported', []))}"
    if found.get("resource") != f"https://{MCP}/mcp":
        answer.wrong = f"a 401 led to {where or 'nowhere'}"
    return answer


def step_up(visit):
    """RFC 9470: the challenge says how the person has to authenticate."""
    answer = visit.get("/strong", authorization=visit.bearer("reader"))
    stronger = visit.get("/strong", authorization=visit.bearer("alice"))
    asked = f"acr_values={parameter(answer, 'acr_values')} max_age={parameter(answer, 'max_age')}"
    answer.note = f"asks for {asked}; a token with these gets {stronger.verdict}"
    if asked != "acr_values=phr max_age=300" or stronger.status != 200:
        answer.wrong = "the step-up does not lead in"
    return answer


def with_proof(visit):
    """RFC 9449: a token that is bound to a key, and a proof of that key."""
    visit.tokens["bound"] = token = visit.new_token("reader", visit.proof("POST", "http://authority/token"))
    visit.tokens["proof"] = proof = visit.proof("GET", visit.envoy + "/data", token)
    stolen = visit.get("/data", authorization="Bearer " + token)
    answer = visit.get("/data", authorization="DPoP " + token, dpop=proof)
    answer.note = f"{answer.why}; the token alone gets {stolen.verdict}"
    if stolen.verdict != "401 INVALID_TOKEN":
        answer.wrong = "a bound token is good without its key"
    return answer


def with_proof_again(visit):
    return visit.get("/data", authorization="DPoP " + visit.tokens["bound"], dpop=visit.tokens["proof"])


def agent_for_user(visit):
    """RFC 8693: the agent's token names the user too, and may less than the user's."""
    token = "Bearer " + visit.exchanged("agent", "alice")
    answer = visit.get("/data", authorization=token)
    write = visit.send("POST", "/data", authorization=token)
    answer.note = f"{answer.why}; to write gets {write.verdict}"
    if write.verdict != "403 INSUFFICIENT_SCOPE":
        answer.wrong = "it may do what the agent may not"
    return answer


def call_tool(visit, tool, token):
    """A message of MCP 2026-07-28."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}})
    return ask(visit.envoy, "POST", "/mcp", body=body, headers={
        "host": MCP, "content-type": "application/json", "authorization": token,
        "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": tool,
    })


def tool_beyond_scope(visit):
    answer = call_tool(visit, "delete_user", "Bearer " + visit.exchanged("agent", "alice"))
    answer.note = f"asks for scope {parameter(answer, 'scope')}"
    if parameter(answer, "scope") != "mcp:use tools:admin":
        answer.wrong = "the challenge does not say what to ask for"
    return answer


def tool_without_approval(visit):
    """RFC 9396: a token carries what a person approved."""
    answer = call_tool(visit, "delete_user", visit.bearer("alice"))
    asked = answer.json().get("error", {}).get("data", {}).get("authorization_details", [])
    approved = call_tool(visit, "delete_user", visit.bearer("approved"))
    answer.note = f"asks for {json.dumps(asked)}; approved it gets {approved.verdict}"
    if len(asked) != 1 or asked[0].get("identifier") != "delete_user" or approved.status != 200:
        answer.wrong = "an approval does not lead in"
    return answer


def left(answer):
    """What RateLimit says is left of the first budget."""
    found = re.search(r";r=(\d+)", ", ".join(answer.all("ratelimit")))
    return int(found.group(1)) if found else None


def premium_model(visit):
    answer = visit.complete(visit.team("basics"), "gpt-4o")
    small = visit.complete(visit.team("basics"), "gpt-4o-mini")
    answer.note = f"{answer.json().get('error', {}).get('message')}; a small model gets {small.verdict}"
    if small.status != 200:
        answer.wrong = "the small model is for everybody"
    return answer


def bounded_output(visit):
    """The provider sees the bound that the filter put in."""
    answer = visit.complete(visit.team("premium", "model:premium"), "gpt-4o")
    seen = ask(visit.provider, "GET", "/requests").json().get("requests", [{}])[-1].get("body", "")
    answer.note = f"the provider got {seen[-29:]}"
    if not seen.endswith('"max_completion_tokens": 256}') and not seen.endswith('"max_completion_tokens":256}'):
        answer.wrong = f"the provider got {seen}"
    return answer


def until_it_runs_dry(visit):
    key, passed = visit.team("spenders"), 0
    while True:
        answer = visit.complete(key, "gpt-4o-mini", max_tokens=400, headers={"x-model-output-tokens": "400"})
        if answer.status != 200 or passed > 20:
            break
        passed += 1
    answer.note = (f"after {passed} answers of 400 tokens, with {left(answer)} of 2000 left; "
                   f"again in {int((answer.all('retry-after') or ['0'])[0]) // 3600} h")
    if passed != 4 or left(answer) is None:
        answer.wrong = f"{passed} passed, {left(answer)} left"
    return answer


def counted_stream(visit):
    """What is left after a stream is what its last event says that it used."""
    key = visit.team("streamers")
    before = 2000
    answer = visit.complete(key, "gpt-4o-mini", stream=True, headers={"x-model-output-tokens": "100"})
    events = [line[6:] for line in answer.body.decode().splitlines() if line.startswith("data: {")]
    used = json.loads(events[-1])["usage"]["total_tokens"] if events else None
    refused = visit.complete(key, "gpt-4o-mini", max_tokens=5000)
    answer.note = f"{len(events)} events that used {used} tokens; {left(refused)} of {before} left"
    if used is None or left(refused) != before - used:
        answer.wrong = "they do not add up"
    return answer


def kept_debt(visit):
    """An answer may use more than it was thought to: all of that is charged."""
    key = visit.team("debtors")
    over = visit.complete(key, "gpt-4o-mini", headers={"x-model-output-tokens": "3000"})
    answer = visit.complete(key, "gpt-4o-mini")
    used = over.json().get("usage", {}).get("total_tokens")
    answer.note = f"one answer used {used} of 2000 tokens; the next request gets nothing"
    if over.status != 200 or left(answer) != 0:
        answer.wrong = f"the first got {over.verdict}, {left(answer)} left"
    return answer


SHARED = "/shared/v1/chat/completions"


def ledger_killed(visit):
    """What was leased is spent without the ledger; beyond it nobody knows."""
    key = visit.team("sharers")
    before = visit.complete(key, "gpt-4o-mini", SHARED)
    visit.stage.authority_actor.end(signal.SIGKILL)
    passed = 0
    while True:
        answer = visit.complete(key, "gpt-4o-mini", SHARED, max_tokens=150, headers={"x-model-output-tokens": "150"})
        if answer.status != 200 or passed > 20:
            break
        passed += 1
    answer.note = f"{passed} more requests passed on what was leased; retry-after {', '.join(answer.all('retry-after'))}"
    if before.status != 200 or passed < 1:
        answer.wrong = f"before it got {before.verdict}, then {passed} passed"
    return answer


def ledger_back(visit):
    visit.stage.start_authority()
    key = visit.team("sharers")
    answer, took = until("200", lambda: visit.complete(key, "gpt-4o-mini", SHARED))
    refused = visit.complete(key, "gpt-4o-mini", SHARED, max_tokens=5000)
    answer.note = f"{took * 1000:.0f} ms after the authority was back; {left(refused)} of 2000 left"
    if left(refused) is None or left(refused) > 1800:
        answer.wrong = f"{left(refused)} left: what was spent is forgotten"
    return answer


def parameter(answer, name):
    """A parameter of the first challenge."""
    found = re.search(rf'[ ,]{name}="([^"]*)"', ", ".join(answer.all("www-authenticate")))
    return found.group(1) if found else ""


def during_an_outage(visit):
    """Without the authority, a token that needs introspection gets a 503; what the filter can check itself still passes."""
    known, unknown = visit.new_token("reader"), visit.token("opaque, unseen")
    visit.stage.authority_actor.end(signal.SIGKILL)
    answer = visit.get("/data", authorization="Bearer " + unknown)
    local = visit.get("/data", authorization="Bearer " + known)
    answer.note = f"retry-after {', '.join(answer.all('retry-after'))}; a JWT gets {local.verdict} meanwhile"
    if local.status != 200:
        answer.wrong = f"a JWT, which needs no introspection, got {local.verdict}"
    elif len(answer.all("retry-after")) != 1:
        answer.wrong = "a 503 without retry-after"
    return answer


def after_the_outage(visit):
    visit.stage.start_authority()
    unknown = visit.token("opaque, unseen")
    answer, took = until("200", lambda: visit.get("/data", authorization="Bearer " + unknown))
    answer.note = f"{answer.why}, {took * 1000:.0f} ms after the authority was back"
    return answer


ROWS = [
    Row("a token, RS256", "200", lambda v: v.get("/data", authorization=v.bearer("reader")),
        sees(subject="reader", client_id="reader", tenant="acme", provider="authority", scopes="data:read")),
    Row("a token, ES256, to write", "200", lambda v: v.send("POST", "/data", authorization=v.bearer("writer")),
        sees(subject="writer", provider="authority")),
    Row("a token, EdDSA", "200", lambda v: v.get("/data", authorization=v.bearer("edward")), sees(subject="edward")),
    Row("no credential", "401 MISSING_TOKEN", lambda v: v.get("/data")),
    Row("an expired token", "401 TOKEN_EXPIRED", after_it_expired),
    Row("a token for another audience", "401 INVALID_AUDIENCE",
        lambda v: v.get("/data", authorization=v.bearer("stranger"))),
    Row("a token with altered claims", "401 INVALID_SIGNATURE",
        lambda v: v.get("/data", authorization="Bearer " + promoted(v.token("reader")))),
    Row("a token with alg none", "401 UNSUPPORTED_ALGORITHM",
        lambda v: v.get("/data", authorization="Bearer " + unsigned(v.token("reader")))),
    Row("a reader's token, to write", "403 INSUFFICIENT_SCOPE",
        lambda v: v.send("POST", "/data", authorization=v.bearer("reader"))),
    Row("an API key", "200", lambda v: v.get("/data", x_api_key=API_KEY),
        sees(subject="ci-bot", client_id="ci-bot", tenant="acme", provider="api_keys", key_id="ci-bot")),
    Row("an expired API key", "401 API_KEY_EXPIRED", lambda v: v.get("/data", x_api_key=EXPIRED_API_KEY)),
    Row("an unknown API key", "401 INVALID_API_KEY", lambda v: v.get("/data", x_api_key=UNKNOWN_API_KEY)),
    Row("a token and an API key at once", "400 AMBIGUOUS_CREDENTIALS",
        lambda v: v.get("/data", authorization=v.bearer("reader"), x_api_key=API_KEY)),
    Row("a token, and X-Auth-Subject: root", "200",
        lambda v: v.get("/data", authorization=v.bearer("reader"), x_auth_subject="root"), sees(subject="reader")),
    Row("no token, but X-Auth-Subject: root", "200",
        lambda v: v.get("/public", x_auth_subject="root", x_auth_scopes="data:write"), sees()),
    Row("the path /public/..%2fdata", "400 AMBIGUOUS_PATH", lambda v: v.get("/public/..%2fdata")),
    Row("a path that no rule names", "403 NO_RULE",
        lambda v: v.get("/elsewhere", authorization=v.bearer("reader"))),
    Row("a CORS preflight", "200",
        lambda v: v.send("OPTIONS", "/data", origin="https://app.example", access_control_request_method="GET"),
        sees()),
    Row("tokens through a key rotation", "200", through_a_rotation, sees(subject="reader")),
    Row("an opaque token", "200", lambda v: v.get("/data", authorization=v.bearer("opaque")),
        sees(subject="opaque", client_id="opaque", tenant="acme", provider="authority", scopes="data:read")),
    Row("a token, revoked by its jti", "401 TOKEN_REVOKED", revoked_by_its_id),
    Row("tokens, revoked by user and by client", "401 TOKEN_REVOKED", revoked_with_all_others),
    Row("an API key, minted just now", "200", minted, sees(subject="robot", provider="api_keys")),
    Row("another tenant's data, by X-Tenant", "403 CLAIM_MISMATCH", for_another_tenant),
    Row("where to get a token for /mcp", "200", metadata),
    Row("a token, where a passkey is needed", "401 INSUFFICIENT_AUTHENTICATION", step_up),
    Row("a token bound to a key, and a proof", "200", with_proof, sees(subject="reader"), needs_stage=True),
    Row("the same proof again", "401 INVALID_DPOP_PROOF", with_proof_again, needs_stage=True),
    Row("an agent for a user", "200", agent_for_user,
        sees(subject="alice", client_id="agent", actor="agent", scopes="data:read mcp:use tools:read")),
    Row("a tool, for that agent", "200",
        lambda v: call_tool(v, "search_users", "Bearer " + v.exchanged("agent", "alice")), sees(actor="agent")),
    Row("a tool beyond its scopes", "403 INSUFFICIENT_SCOPE", tool_beyond_scope),
    Row("a tool that waits for an approval", "403 APPROVAL_REQUIRED", tool_without_approval),
    Row("a premium model, without its scope", "403 INSUFFICIENT_SCOPE", premium_model),
    Row("with its scope: a bound is put in", "200", bounded_output),
    Row("a budget of tokens, until it runs dry", "429 BUDGET_EXCEEDED", until_it_runs_dry),
    Row("a stream, counted as it passes", "200", counted_stream),
    Row("a debt, kept", "429 BUDGET_EXCEEDED", kept_debt),
    Row("a budget of all Envoys, its ledger killed", "503 BUDGET_UNAVAILABLE", ledger_killed, needs_stage=True),
    Row("the same, the ledger back", "200", ledger_back, needs_stage=True),
    Row("an opaque token, the authority killed", "503 INTROSPECTION_UNAVAILABLE", during_an_outage, needs_stage=True),
    Row("the same, the authority back", "200", after_the_outage, sees(subject="opaque"), needs_stage=True),
]


# === The verdict ===


def problem(row, answer):
    """What is wrong with the answer; None if nothing is."""
    if answer.wrong:
        return answer.wrong
    if answer.verdict != row.expected:
        return f"expected {row.expected}"
    if answer.status == 200:
        leaked = {"authorization", "dpop", "x-api-key"} & set(answer.seen)
        if leaked:
            return f"the credential reached the upstream in {', '.join(leaked)}"
    else:
        if answer.all("content-type") != ["application/json"] or answer.all("cache-control") != ["no-store"]:
            return "a refusal is JSON that no cache stores"
        schemes = [challenge.split(" ")[0] for challenge in answer.all("www-authenticate")]
        if answer.status == 401 and schemes != ["Bearer", "DPoP"]:
            return f"challenged with {schemes}, expected one by Bearer and one by DPoP"
    return row.also(answer)


def walk(visit):
    """Prints a line per row as it is answered; whether all agreed."""
    visit.token("shortlived")  # it expires while the first rows are answered
    rows = [row for row in ROWS if visit.stage or not row.needs_stage]
    wide = max(len(row.request) for row in rows)
    verdict = max(len(row.expected) for row in rows)
    good, bad, plain = ("\033[32m", "\033[31m", "\033[0m") if colourful() else ("", "", "")

    print(f"\n    {'request':{wide}}  {'expected':{verdict}}  {'answered':{verdict}}  why")
    failed = 0
    for row in rows:
        answer = row.send(visit)
        wrong = problem(row, answer)
        failed += wrong is not None
        mark = f"{bad}✗{plain}" if wrong else f"{good}✓{plain}"
        print(f"  {mark} {row.request:{wide}}  {row.expected:{verdict}}  {answer.verdict:{verdict}}  {answer.why}", flush=True)
        if wrong:
            print(f"    {bad}{wrong}{plain}", flush=True)
    if len(rows) < len(ROWS):
        print(f"\n  {len(ROWS) - len(rows)} rows skipped: they kill the authority, or need its command line, and this one was started by somebody else")
    print(f"\n{len(rows) - failed} passed, {failed} failed")
    return failed == 0


def colourful():
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


# === The commands ===


def demo():
    stage = Stage(ROOT / ".cache/demo")
    stage.down()  # what a killed demo may have left running
    say("starting the authority, an upstream, a model provider and Envoy")
    try:
        stage.up()
        agreed = walk(Visit(stage.envoy, stage.models, stage.provider, stage.authority, stage.authority_admin, stage))
    finally:
        stage.down()
    if not agreed:
        say(f"their logs: {stage.folder.relative_to(ROOT)}/*.log")
    return 0 if agreed else 1


def up():
    stage = Stage(ROOT / ".cache/tour")
    if not stage.found_up():
        stage.down()
        say("starting the authority, an upstream, a model provider and Envoy")
        try:
            stage.up()
        except BaseException:
            stage.down()
            raise
    print(f"""
Portcullis is running; `make down` stops it.

  Envoy       {stage.envoy}, and {stage.models} in front of a model provider
  counters    {stage.envoy_admin}/stats/prometheus
  authority   {stage.authority}
  logs        {stage.folder.relative_to(ROOT)}/*.log

To try:

  token=$(curl -s -u reader:{SECRETS['reader']} -d grant_type=client_credentials {stage.authority}/token |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
  curl -i -H "authorization: Bearer $token" {stage.envoy}/data
  curl -i -H "authorization: Bearer $token" -X POST {stage.envoy}/data
  curl -i -H "x-api-key: {API_KEY}" {stage.envoy}/data
  curl -i {stage.envoy}/data
  curl -i --path-as-is {stage.envoy}/public/..%2fdata
  curl -i -H 'host: {MCP}' {stage.envoy}/.well-known/oauth-protected-resource/mcp
  key=$(curl -s -H 'content-type: application/json' -d '{{"client": "team", "scopes": ["model:premium"]}}' {stage.authority_admin}/api-keys |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["key"])'); sleep 1
  curl -i -H "x-api-key: $key" -d '{{"model": "gpt-4o", "messages": [], "stream": true}}' {stage.models}/v1/chat/completions
  curl -i -X POST {stage.authority_admin}/keys/rotate
  curl -i -u reader:{SECRETS['reader']} -d token=$token {stage.authority}/revoke
  curl -i -H 'content-type: application/json' -d '{{"client": "robot", "scopes": ["data:read"]}}' {stage.authority_admin}/api-keys
""")
    return 0


def down():
    ended = Stage(ROOT / ".cache/tour").down()
    say("ended " + ", ".join(ended) if ended else "nothing was up")
    return 0


def visit(*urls):
    return 0 if walk(Visit(*urls)) else 1


def say(what):
    print(f"==> {what}", file=sys.stderr, flush=True)


def main(arguments):
    # `kill` ends the stage as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    commands = {"demo": (demo, 0), "up": (up, 0), "down": (down, 0), "visit": (visit, 5)}
    command, operands = commands.get(arguments[0] if arguments else "", (None, 0))
    if command is None or len(arguments) != operands + 1:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        return command(*arguments[1:])
    except Failed as failure:
        say(f"failed: {failure}")
    except KeyboardInterrupt:
        say("interrupted")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
