//! Before anything is measured: each variant does the whole job, and refuses what it has to.

use std::fs;
use std::path::Path;

use bench::Result;
use bench::authority::{INACTIVE, OTHER_SCOPE};
use bench::envoy::Envoy;
use bench::http::Connection;
use bench::issuer::{Algorithm, Issuer, SCOPES};
use bench::prover::Prover;
use bench::setup::key_id;
use bench::traffic::{MANY_KEYS, MANY_RULES, api_key, path_of_rule, request};

const SUBJECT: &str = "f3a1c6de-75d4-4c3b-9d5e-0b8a1f2c7e44";

/// An error that names the listener, where one does another job than the others.
pub fn prove_all(envoy: &Envoy, issuer: &Issuer) -> Result<()> {
    let native = |id: &str| {
        identity(
            SUBJECT,
            "orders-web",
            SCOPES,
            "https://idp.example.com/",
            id,
        )
    };
    let ours = |id: &str| identity(SUBJECT, "orders-web", SCOPES, "idp", id);
    for listener in ["native", "native-cached"] {
        prove_tokens(envoy, issuer, listener, native)?;
    }
    for listener in ["portcullis", "portcullis-filter-state", "portcullis-new"] {
        prove_tokens(envoy, issuer, listener, ours)?;
    }
    prove_possession(envoy, issuer, &ours("proof"))?;
    for listener in [
        "ext-authz-http-keys",
        "ext-authz-grpc-keys",
        "portcullis-few-keys",
    ] {
        prove_keys(envoy, listener, 0, 0)?;
    }
    prove_keys(envoy, "portcullis-many-keys", MANY_KEYS - 1, MANY_RULES - 1)?;
    for listener in [
        "ext-authz-http",
        "ext-authz-grpc",
        "portcullis-introspection",
    ] {
        prove_opaque(envoy, listener, &ours("known"))?;
    }
    prove_edits(envoy, &ours("known"))
}

/// The no-op module is as the SDK makes it, with an export for each callback: without them it would cost less.
pub fn prove_noop(module: &Path) -> Result<()> {
    let export = b"proxy_on_response_body";
    let bytes = fs::read(module)?;
    match bytes.windows(export.len()).any(|found| found == export) {
        true => Ok(()),
        false => Err("the no-op module lacks exports that the SDK gives it".into()),
    }
}

fn prove_tokens(
    envoy: &Envoy,
    issuer: &Issuer,
    listener: &str,
    seen: impl Fn(&str) -> String,
) -> Result<()> {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let token = |scope| issuer.token(algorithm, "proof", scope);
        let good = token(SCOPES)?;
        // Twice: remembered or not.
        expect(envoy, listener, &bearer(&good), 200, &seen("proof"))?;
        let spoofed = spoofed(&bearer(&good));
        expect(envoy, listener, &spoofed, 200, &seen("proof"))?;
        expect(envoy, listener, &bearer(&token("other")?), 403, "")?;
        let (signed, _) = good.rsplit_once('.').ok_or("a token has dots")?;
        let other = token("data:read")?;
        let (_, signature) = other.rsplit_once('.').ok_or("a token has dots")?;
        let forged = format!("{signed}.{signature}");
        expect(envoy, listener, &bearer(&forged), 401, "")?;
    }
    expect(envoy, listener, "x-none: 1", 401, "")
}

fn prove_possession(envoy: &Envoy, issuer: &Issuer, seen: &str) -> Result<()> {
    let listener = "portcullis-proofs";
    let uri = format!("http://proof.example.com{}", path_of_rule(0));
    let prover = Prover::new(issuer, "proof", SCOPES)?;
    for number in 0..2 {
        // A proof counts once.
        let good = prover.headers(&uri, number)?;
        expect(envoy, listener, &good, 200, seen)?;
        expect(envoy, listener, &good, 401, "")?;
    }
    expect(
        envoy,
        listener,
        &spoofed(&prover.headers(&uri, 2)?),
        200,
        seen,
    )?;
    let elsewhere = prover.headers("http://proof.example.com/", 3)?;
    expect(envoy, listener, &elsewhere, 401, "")?;
    let unentitled = Prover::new(issuer, "proof", "other")?;
    expect(envoy, listener, &unentitled.headers(&uri, 4)?, 403, "")
}

fn prove_keys(envoy: &Envoy, listener: &str, key: usize, rule: usize) -> Result<()> {
    let client = format!("client-{key:05}");
    let seen = identity(&client, &client, "data:read", "api_keys", &key_id(key));
    let path = path_of_rule(rule);
    let good = format!("x-api-key: {}", api_key(key));
    expect_at(envoy, listener, &path, &good, 200, &seen)?;
    expect_at(envoy, listener, &path, &spoofed(&good), 200, &seen)?;
    expect_at(envoy, listener, &path, "x-api-key: nobody's", 401, "")?;
    expect_at(envoy, listener, &path, "x-none: 1", 401, "")?;
    expect_at(envoy, listener, "/elsewhere", &good, 403, "")
}

fn prove_opaque(envoy: &Envoy, listener: &str, seen: &str) -> Result<()> {
    // Twice: asked about or remembered.
    let good = bearer("an-opaque-token");
    expect(envoy, listener, &good, 200, seen)?;
    expect(envoy, listener, &spoofed(&good), 200, seen)?;
    expect(envoy, listener, &bearer(INACTIVE), 401, "")?;
    expect(envoy, listener, &bearer(OTHER_SCOPE), 403, "")?;
    expect(envoy, listener, "x-none: 1", 401, "")
}

/// The module of the host's calls judges nothing, but its edits are those of Portcullis.
fn prove_edits(envoy: &Envoy, seen: &str) -> Result<()> {
    expect(envoy, "host-calls", &bearer("any"), 200, seen)?;
    let client = "client-00000";
    let seen = identity(client, client, "data:read", "api_keys", &key_id(0));
    expect(envoy, "host-calls-keys", "x-api-key: any", 200, &seen)
}

/// What an upstream receives: six identity headers, and neither the token nor the key.
fn identity(subject: &str, client: &str, scopes: &str, provider: &str, id: &str) -> String {
    format!("{subject}|{client}|{scopes}|acme|{provider}|{id}||")
}

/// The same request, with a client's own copy of an identity header.
fn spoofed(header: &str) -> String {
    format!("x-auth-subject: somebody-else\r\n{header}")
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}")
}

fn expect(envoy: &Envoy, listener: &str, header: &str, status: u16, seen: &str) -> Result<()> {
    expect_at(envoy, listener, &path_of_rule(0), header, status, seen)
}

fn expect_at(
    envoy: &Envoy,
    listener: &str,
    path: &str,
    header: &str,
    status: u16,
    seen: &str,
) -> Result<()> {
    let mut connection = Connection::open(envoy.port(listener)?)?;
    connection.send(&request("proof.example.com", path, header))?;
    let (found_status, found) = connection.receive_header("x-seen")?;
    if (found_status, found.as_str()) == (status, seen) {
        return Ok(());
    }
    Err(format!("{listener} does another job: {found_status} {found}, not {status} {seen}").into())
}
