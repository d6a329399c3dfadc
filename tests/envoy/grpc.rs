//! gRPC clients get a status of their own.

use serde_json::json;

use crate::harness::client::{Answer, Request, get, request};
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::keys::Key;
use crate::harness::policy::{only, provider, remote_provider};
use crate::harness::refusal::expect;
use crate::harness::{curl, run_curl};

fn call(path: &str) -> Request {
    typed(path, "application/grpc")
}

fn typed(path: &str, content_type: &str) -> Request {
    request("POST", path)
        .header("content-type", content_type)
        .header("te", "trailers")
}

fn status(answer: &Answer, status: &str, code: &str) -> Result<(), String> {
    expect("status", &answer.status, &200)?;
    expect(
        "grpc-status",
        &answer.header("grpc-status").as_deref(),
        &Some(status),
    )?;
    expect(
        "x-portcullis-code",
        &answer.header("x-portcullis-code").as_deref(),
        &Some(code),
    )?;
    expect(
        "grpc-message is there",
        &answer
            .header("grpc-message")
            .is_some_and(|message| !message.is_empty()),
        &true,
    )?;
    expect("body", &answer.body.len(), &0)
}

#[test]
fn refusals_carry_a_grpc_status() {
    let key = Key::new("ES256", "k");
    let policy = json!({
        "providers": { "corp": provider([&key]), "down": remote_provider("down", "/jwks") },
        "rules": [
            { "match": { "path": { "prefix": "/deny" } }, "access": "deny" },
            { "match": { "path": { "prefix": "/scope" } }, "scopes": { "all": ["x"] } },
            { "match": { "path": { "prefix": "/in" } } },
        ],
    });
    let token = key.token(json!({}));
    let gateway = Setup::of(policy).cluster_without_hosts("idp").start();
    gateway.table(|rows| {
        rows.passes("good", call("/in/Method").bearer(&token));
        for (name, request, grpc_status, code) in [
            ("401", call("/in/Method"), "16", "MISSING_TOKEN"),
            (
                "401, bad token",
                call("/in/Method").bearer("rubbish"),
                "16",
                "MALFORMED_TOKEN",
            ),
            (
                "403, scope",
                call("/scope/Method").bearer(&token),
                "7",
                "INSUFFICIENT_SCOPE",
            ),
            ("403, deny", call("/deny/Method"), "7", "RULE_DENIES"),
            ("403, no rule", call("/out/Method"), "7", "NO_RULE"),
            ("400, path", call("/in//Method"), "3", "AMBIGUOUS_PATH"),
            (
                "400, credentials",
                call("/in/Method").header("authorization", "Bearer a,b"),
                "3",
                "AMBIGUOUS_CREDENTIALS",
            ),
            (
                "503",
                call("/in/Method").bearer(key.token(json!({ "iss": "down" }))),
                "14",
                "KEYS_UNAVAILABLE",
            ),
            (
                "a subtype",
                typed("/in/Method", "application/grpc+proto"),
                "16",
                "MISSING_TOKEN",
            ),
        ] {
            rows.row(name, request, |answer| status(answer, grpc_status, code));
        }
        let expired = key.token(json!({ "exp": 1 }));
        rows.row(
            "the message is the description",
            call("/in/Method").bearer(&expired),
            |answer| {
                let plain = get("/in")
                    .bearer(&expired)
                    .send(gateway.port())
                    .map_err(|error| error.to_string())?
                    .json()?;
                let message = answer
                    .header("grpc-message")
                    .unwrap_or_default()
                    .replace("%20", " ");
                expect(
                    "grpc-message",
                    &Some(message.as_str()),
                    &plain["error_description"].as_str(),
                )
            },
        );
        rows.refuses(
            "gRPC-Web's JSON twin is plain HTTP",
            request("POST", "/in/x").header("content-type", "application/json"),
            "MISSING_TOKEN",
        );
    });
}

#[test]
fn refusals_carry_a_grpc_status_over_http2() {
    let key = Key::new("ES256", "k");
    let gateway = Gateway::start(only(provider([&key])));
    let Some(curl) = curl() else { return };
    let over_h2 = |more: &[&str]| {
        let mut curl = curl();
        curl.args([
            "--http2-prior-knowledge",
            "--header",
            "content-type: application/grpc",
            "--header",
            "te: trailers",
        ]);
        curl.args(more)
            .arg(format!("http://127.0.0.1:{}/in/Method", gateway.port()));
        run_curl(curl)
    };
    let refused = over_h2(&["--data", ""]);
    assert!(refused.starts_with("HTTP/2 200"), "{refused}");
    for line in ["grpc-status: 16", "x-portcullis-code: MISSING_TOKEN"] {
        assert!(
            refused.lines().any(|other| other.trim() == line),
            "{line} is not in\n{refused}"
        );
    }
    let bearer = format!("authorization: Bearer {}", key.token(json!({})));
    let passed = over_h2(&["--data", "", "--header", &bearer]);
    assert!(passed.contains("x-echo"), "{passed}");
    // HTTP/2 may carry several cookie headers, which Envoy joins.
    let plain = over_h2(&[
        "--header",
        "cookie: a=1",
        "--header",
        "cookie: b=2",
        "--header",
        &bearer,
    ]);
    assert!(plain.contains("a=1; b=2"), "{plain}");
}
