//! RFC 8693.

use serde_json::{Value, json};

use crate::answers::TokenResponse;
use crate::http::{Request, Response};
use crate::proof::Key;
use crate::server::{Folder, GATEWAY, READER, Server, eventually, now};

const EXCHANGE: &str = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

const APP: (&str, &str) = ("app", READER.1);
const OTHER_APP: (&str, &str) = ("other-app", READER.1);
const AGENT: (&str, &str) = ("agent", READER.1);
const WORKER: (&str, &str) = ("worker", READER.1);

/// A person's app, an agent that acts for its users, and a worker of the agent. In the order of the file.
const CLIENTS: &str = r#"
    [[clients]]
    id = "app"
    subject = "alice"
    tenant = "acme"
    scopes = "data:read data:write"
    token_lifetime = "1h"
    algorithm = "ES256"
    acr = "phr"
    auth_age = "1m"
    authorization_details = [{type = "tool_call", identifier = "delete_user"}]
    [[clients]]
    id = "other-app"
    subject = "bob"
    scopes = "data:read other:read"
    access_token_format = "opaque"
    token_lifetime = "5s"
    [[clients]]
    id = "agent"
    subject = "the agent"
    tenant = "agents"
    scopes = "data:read data:write mail:send"
    audiences = ["https://mcp.example.com/mcp", "https://api.example.com/"]
    token_lifetime = "1h"
    algorithm = "EdDSA"
    may_exchange = ["app", "other-app", "agent"]
    acr = "silver"
    authorization_details = [{type = "payment"}]
    [[clients]]
    id = "worker"
    scopes = "data:read"
    access_token_format = "opaque"
    token_lifetime = "1m"
    may_exchange = ["agent"]
    [[clients]]
    id = "gateway"
    introspect = true
    audiences = ["api-gateway", "https://mcp.example.com/mcp", "https://api.example.com/"]
"#;

fn server() -> Server {
    let hash = |(id, secret): (&str, &str)| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.as_bytes());
        let hex: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        format!("id = \"{id}\"\n secret_hash = \"sha256:{hex}\"")
    };
    let clients = [APP, OTHER_APP, AGENT, WORKER, GATEWAY]
        .into_iter()
        .fold(CLIENTS.to_owned(), |clients, client| {
            clients.replace(&format!("id = \"{}\"", client.0), &hash(client))
        });
    let folder = Folder::new();
    let head = "issuer = \"http://authority\"\naudience = \"api-gateway\"\n";
    let config = folder.write("authority.toml", &format!("{head}{clients}"));
    Server::with(config, &["--faults"])
}

fn request((id, secret): (&str, &str), form: &str) -> Request {
    let request = Request::new("POST", "/token").basic(id, secret);
    request.form(format!("{EXCHANGE}{form}"))
}

fn subject(token: &str) -> String {
    format!("&subject_token={token}&subject_token_type={ACCESS_TOKEN}")
}

fn exchange(server: &Server, client: (&str, &str), form: &str) -> Response {
    server.send(request(client, form))
}

#[track_caller]
fn exchanged(server: &Server, client: (&str, &str), form: &str) -> TokenResponse {
    exchange(server, client, form).expect(200).json_as()
}

#[track_caller]
fn refused(answer: &Response, error: &str, why: &str) {
    assert_eq!(answer.status, 400, "{why}: {}", answer.body);
    assert_eq!(answer.json()["error"], error, "{why}: {}", answer.body);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

/// A token that is bound to this key.
fn bound_token(server: &Server, client: (&str, &str), key: &Key) -> String {
    let request = Request::new("POST", "/token").basic(client.0, client.1);
    let request = request.form("grant_type=client_credentials");
    let answer = server.send(request.header("dpop", &key.proof().sign(key)));
    answer.expect(200).json_as::<TokenResponse>().access_token
}

#[test]
fn an_agent_gets_a_token_for_the_same_subject() {
    let server = server();
    let before = now();
    let token = server.token(APP);
    let answer = exchanged(&server, AGENT, &subject(&token));
    assert_eq!(answer.issued_token_type.as_deref(), Some(ACCESS_TOKEN));
    assert_eq!(answer.token_type, "Bearer");
    assert_eq!(answer.expires_in, 300);
    assert_eq!(answer.scope, "data:read data:write");

    let (header, claims) = server.verify(&answer.access_token).unwrap();
    assert_eq!(header["alg"], "EdDSA");
    assert_eq!(header["typ"], "at+jwt");
    for (name, expected) in [
        ("iss", json!("http://authority")),
        ("sub", json!("alice")),
        ("tenant", json!("acme")),
        ("client_id", json!("agent")),
        ("act", json!({"sub": "agent"})),
        ("scope", json!("data:read data:write")),
        (
            "aud",
            json!(["https://mcp.example.com/mcp", "https://api.example.com/"]),
        ),
    ] {
        assert_eq!(claims[name], expected, "{name}");
    }
    assert!(claims["iat"].as_i64().unwrap() >= before);
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        300
    );
    assert_ne!(claims["jti"], server.verify(&token).unwrap().1["jti"]);
    // The agent got a token, it took none away.
    assert!(server.is_active(&token) && server.is_active(&answer.access_token));
}

#[test]
fn the_authentication_of_the_subject_is_told_and_its_approvals_are_not() {
    let server = server();
    let token = server.token(APP);
    let (_, before) = server.verify(&token).unwrap();
    assert!(before["authorization_details"].is_array());
    let answer = exchanged(&server, AGENT, &subject(&token));
    let (_, claims) = server.verify(&answer.access_token).unwrap();
    assert_eq!(claims["acr"], "phr");
    assert_eq!(claims["auth_time"], before["auth_time"]);
    assert_eq!(claims.get("authorization_details"), None);
}

#[test]
fn earlier_actors_stand_within_later_ones() {
    let server = server();
    let agents = exchanged(&server, AGENT, &subject(&server.token(APP)));
    let workers = exchanged(&server, WORKER, &subject(&agents.access_token));
    assert_eq!(workers.expires_in, 60);
    let described = server.introspect(&workers.access_token);
    for (name, expected) in [
        ("sub", json!("alice")),
        ("tenant", json!("acme")),
        ("client_id", json!("worker")),
        ("act", json!({"sub": "worker", "act": {"sub": "agent"}})),
        ("scope", json!("data:read")),
        ("acr", json!("phr")),
    ] {
        assert_eq!(described[name], expected, "{name}");
    }
}

/// Else a token could grow until nobody can read it.
#[test]
fn the_actors_are_so_many_and_no_more() {
    let server = server();
    let mut token = server.token(APP);
    for _ in 0..8 {
        token = exchanged(&server, AGENT, &subject(&token)).access_token;
    }
    let answer = exchange(&server, AGENT, &subject(&token));
    refused(&answer, "invalid_request", "the ninth");
    let mut act = &server.introspect(&token)["act"];
    for _ in 0..8 {
        assert_eq!(act["sub"], "agent");
        act = &act["act"];
    }
    assert_eq!(*act, Value::Null);
}

#[test]
fn the_scopes_are_those_that_both_have() {
    let server = server();
    let (token, others) = (server.token(APP), server.token(OTHER_APP));
    let ask =
        |token: &str, scope: &str| exchange(&server, AGENT, &format!("{}{scope}", subject(token)));
    // The agent has mail:send, the app has not; bob's app has other:read, the agent has not.
    for (token, scope, expected) in [
        (&token, "", "data:read data:write"),
        (&token, "&scope=data:write", "data:write"),
        (&others, "", "data:read"),
    ] {
        let answer: TokenResponse = ask(token, scope).expect(200).json_as();
        assert_eq!(answer.scope, expected);
        let described = server.introspect(&answer.access_token);
        assert_eq!(described["scope"], expected);
    }
    for (token, scope) in [
        (&token, "&scope=mail:send"),
        (&token, "&scope=data:read+mail:send"),
        (&token, "&scope=other:read"),
        (&token, "&scope=data:read++data:write"),
        (&others, "&scope=other:read"),
        (&others, "&scope=data:write"),
    ] {
        refused(&ask(token, scope), "invalid_scope", scope);
    }
}

#[test]
fn with_no_scope_in_common_there_is_no_token() {
    let server = server();
    let request = Request::new("POST", "/token").basic(AGENT.0, AGENT.1);
    let request = request.form("grant_type=client_credentials&scope=mail:send");
    let answer: TokenResponse = server.send(request).expect(200).json_as();
    let answer = exchange(&server, WORKER, &subject(&answer.access_token));
    refused(
        &answer,
        "invalid_scope",
        "mail:send is nothing to the worker",
    );
}

#[test]
fn no_token_outlives_the_one_that_it_comes_from() {
    let server = server();
    let token = server.token(OTHER_APP);
    let exp = |token: &str| server.introspect(token)["exp"].as_i64();
    let answer = exchanged(&server, AGENT, &subject(&token));
    assert!(answer.expires_in <= 5, "{}", answer.expires_in);
    assert!(exp(&answer.access_token).unwrap() <= exp(&token).unwrap());
    eventually("it expires", || !server.is_active(&answer.access_token));
}

#[test]
fn a_target_narrows_the_audience() {
    let server = server();
    let token = server.token(APP);
    let ask = |target: &str| exchange(&server, AGENT, &format!("{}{target}", subject(&token)));
    let (mcp, api) = ("https://mcp.example.com/mcp", "https://api.example.com/");
    for (target, expected) in [
        (format!("&resource={mcp}"), json!(mcp)),
        (format!("&audience={api}"), json!(api)),
        (format!("&resource={mcp}&audience={mcp}"), json!(mcp)),
        (format!("&resource={api}&audience={mcp}"), json!([api, mcp])),
        (format!("&audience={api}&audience={mcp}"), json!([api, mcp])),
    ] {
        let answer: TokenResponse = ask(&target).expect(200).json_as();
        let (_, claims) = server.verify(&answer.access_token).unwrap();
        assert_eq!(claims["aud"], expected, "{target}");
    }
    for target in [
        "&audience=api-gateway",
        "&resource=https://mcp.example.com/",
        &format!("&resource={mcp}&audience=other"),
    ] {
        refused(&ask(target), "invalid_target", target);
    }
}

#[test]
fn the_issued_type_is_the_one_that_was_asked_for() {
    let server = server();
    let token = server.token(APP);
    let ask = |client, token: &str, wanted: &str| {
        let form = format!("{}&requested_token_type={wanted}", subject(token));
        exchange(&server, client, &form)
    };
    let mut agents = String::new();
    for wanted in [ACCESS_TOKEN, JWT] {
        let answer: TokenResponse = ask(AGENT, &token, wanted).expect(200).json_as();
        assert_eq!(answer.issued_token_type.as_deref(), Some(wanted));
        agents = answer.access_token;
    }
    ask(WORKER, &agents, ACCESS_TOKEN).expect(200);
    for (client, token, wanted) in [
        (WORKER, &agents, JWT),
        (
            AGENT,
            &token,
            "urn:ietf:params:oauth:token-type:refresh_token",
        ),
        (AGENT, &token, "urn:ietf:params:oauth:token-type:id_token"),
        (AGENT, &token, "jwt"),
    ] {
        refused(&ask(client, token, wanted), "invalid_request", wanted);
    }
}

#[test]
fn the_subject_has_an_active_token_of_the_type_that_it_says() {
    let server = server();
    let elsewhere = Server::start();
    let (jwt, opaque) = (server.token(APP), server.token(OTHER_APP));
    let form = |token: &str, of: &str| format!("&subject_token={token}&subject_token_type={of}");
    for form in [
        form(&jwt, ACCESS_TOKEN),
        form(&jwt, JWT),
        form(&opaque, ACCESS_TOKEN),
    ] {
        exchange(&server, AGENT, &form).expect(200);
    }
    let revoked = server.token(APP);
    server.revoke(APP, &revoked).expect(200);
    let expired = server.token(OTHER_APP);
    eventually("it expires", || !server.is_active(&expired));
    for (why, form) in [
        ("none", String::new()),
        ("no type", format!("&subject_token={jwt}")),
        (
            "a type alone",
            format!("&subject_token_type={ACCESS_TOKEN}"),
        ),
        ("an empty one", form("", ACCESS_TOKEN)),
        (
            "another type",
            form(&jwt, "urn:ietf:params:oauth:token-type:id_token"),
        ),
        ("a short type", form(&jwt, "access_token")),
        ("no JWT", form(&server.token(OTHER_APP), JWT)),
        ("unknown", form("abc", ACCESS_TOKEN)),
        ("revoked", form(&revoked, ACCESS_TOKEN)),
        ("expired", form(&expired, ACCESS_TOKEN)),
        ("changed", form(&format!("{jwt}A"), JWT)),
        ("of another server", form(&elsewhere.token(READER), JWT)),
        ("twice", format!("{}{}", subject(&jwt), subject(&jwt))),
    ] {
        refused(&exchange(&server, AGENT, &form), "invalid_request", why);
    }
}

#[test]
fn only_those_who_may_exchange() {
    let server = server();
    let (apps, agents) = (server.token(APP), server.token(AGENT));
    // §2.2.2: a token that is "unacceptable based on policy" is invalid_request.
    let answer = exchange(&server, WORKER, &subject(&apps));
    refused(&answer, "invalid_request", "of a client that is not named");
    // RFC 6749 §5.2: a client without this grant.
    for client in [APP, OTHER_APP] {
        let answer = exchange(&server, client, &subject(&agents));
        refused(&answer, "unauthorized_client", client.0);
        let answer = exchange(&server, client, &subject("abc"));
        refused(&answer, "unauthorized_client", client.0);
    }
    exchange(&server, (AGENT.0, "wrong"), &subject(&apps)).expect(401);
    exchange(&server, WORKER, &subject(&agents)).expect(200);
}

#[test]
fn an_actor_is_the_client_itself() {
    let server = server();
    let (apps, agents) = (server.token(APP), server.token(AGENT));
    let ask = |actor: &str| exchange(&server, AGENT, &format!("{}{actor}", subject(&apps)));
    let actor = |token: &str, of: &str| format!("&actor_token={token}&actor_token_type={of}");
    for form in [actor(&agents, ACCESS_TOKEN), actor(&agents, JWT)] {
        let answer: TokenResponse = ask(&form).expect(200).json_as();
        let (_, claims) = server.verify(&answer.access_token).unwrap();
        assert_eq!(claims["act"], json!({"sub": "agent"}));
        assert_eq!(claims["sub"], "alice");
    }
    let for_alice = exchanged(&server, AGENT, &subject(&apps)).access_token;
    let revoked = server.token(AGENT);
    server.revoke(AGENT, &revoked).expect(200);
    for (why, form) in [
        ("another client", actor(&server.token(WORKER), ACCESS_TOKEN)),
        ("the subject", actor(&apps, ACCESS_TOKEN)),
        ("another subject's", actor(&for_alice, ACCESS_TOKEN)),
        ("unknown", actor("abc", ACCESS_TOKEN)),
        ("revoked", actor(&revoked, ACCESS_TOKEN)),
        ("no type", format!("&actor_token={agents}")),
        ("a type alone", format!("&actor_token_type={ACCESS_TOKEN}")),
        (
            "another type",
            actor(&agents, "urn:ietf:params:oauth:token-type:saml2"),
        ),
    ] {
        refused(&ask(&form), "invalid_request", why);
    }
}

#[test]
fn a_bound_token_is_exchanged_by_the_holder_of_its_key_only() {
    let server = server();
    let (key, other) = (Key::es256(), Key::eddsa());
    let token = bound_token(&server, APP, &key);
    let ask = |proof: Option<String>| {
        let request = request(AGENT, &subject(&token));
        server.send(match &proof {
            Some(proof) => request.header("dpop", proof),
            None => request,
        })
    };
    refused(&ask(None), "invalid_dpop_proof", "no proof");
    let answer = ask(Some(other.proof().sign(&other)));
    refused(&answer, "invalid_dpop_proof", "another key");
    let answer = ask(Some(key.proof().sign(&other)));
    refused(&answer, "invalid_dpop_proof", "a forged proof");

    let proof = key.proof().sign(&key);
    let answer: TokenResponse = ask(Some(proof.clone())).expect(200).json_as();
    assert_eq!(answer.token_type, "DPoP");
    let (_, claims) = server.verify(&answer.access_token).unwrap();
    assert_eq!(claims["cnf"], json!({"jkt": key.thumbprint()}));
    refused(&ask(Some(proof)), "invalid_dpop_proof", "the proof again");
}

#[test]
fn a_bound_actor_token_needs_its_key_too() {
    let server = server();
    let (key, other) = (Key::es256(), Key::es256());
    let actor = bound_token(&server, AGENT, &key);
    let form = format!(
        "{}&actor_token={actor}&actor_token_type={ACCESS_TOKEN}",
        subject(&server.token(APP))
    );
    refused(
        &exchange(&server, AGENT, &form),
        "invalid_dpop_proof",
        "no proof",
    );
    let with =
        |key: &Key| server.send(request(AGENT, &form).header("dpop", &key.proof().sign(key)));
    refused(&with(&other), "invalid_dpop_proof", "another key");
    with(&key).expect(200);
}

#[test]
fn a_token_that_is_not_bound_may_be_bound_on_the_way() {
    let server = server();
    let key = Key::es256();
    let request = request(AGENT, &subject(&server.token(APP)));
    let answer = server.send(request.header("dpop", &key.proof().sign(&key)));
    let answer: TokenResponse = answer.expect(200).json_as();
    assert_eq!(answer.token_type, "DPoP");
    let described = server.introspect(&answer.access_token);
    assert_eq!(described["cnf"]["jkt"], key.thumbprint());
}

#[test]
fn an_exchanged_token_is_revoked_like_any_other() {
    for by in ["itself", "jti", "client_id", "sub"] {
        let server = server();
        let subjects = server.token(APP);
        let token = exchanged(&server, AGENT, &subject(&subjects)).access_token;
        let revoke = |entry: Value| {
            let entry = entry.to_string();
            server.admin("POST", "/revocations", &entry).expect(200)
        };
        assert!(server.is_active(&token));
        match by {
            "itself" => server.revoke(AGENT, &token).expect(200),
            "jti" => revoke(json!({
                "jti": server.introspect(&token)["jti"],
                "exp": now() + 300,
            })),
            "client_id" => revoke(json!({"client_id": "agent", "before": now()})),
            _ => revoke(json!({"sub": "alice", "before": now()})),
        };
        assert!(!server.is_active(&token), "{by}");
        let answer = exchange(&server, AGENT, &subject(&token));
        refused(&answer, "invalid_request", by);
        // The agent's revocation is not that of the app.
        assert_eq!(server.is_active(&subjects), by != "sub", "{by}");
    }
}
