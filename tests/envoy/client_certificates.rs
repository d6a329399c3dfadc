//! Tokens that are bound to the client's certificate (RFC 8705), over TLS.

use serde_json::json;

use crate::harness::client::get;
use crate::harness::gateway::Setup;
use crate::harness::keys::{Key, encode, thumbprint};
use crate::harness::policy::{only, provider};
use crate::harness::{curl, run_curl};

#[test]
fn a_certificate_bound_token_needs_its_certificate() {
    let client = include_str!("fixtures/client.pem");
    let key = Key::new("ES256", "k");
    let bound = key.token(json!({ "cnf": { "x5t#S256": thumbprint(client) } }));
    let stolen = key.token(json!({ "cnf": { "x5t#S256": encode([7; 32]) } }));
    let twice = key.token(json!({ "cnf": { "x5t#S256": thumbprint(client), "jkt": "x" } }));
    let gateway = Setup::of(only(provider([&key]))).mutual_tls().start();
    let Some(curl) = curl() else { return };
    let ask = |token: &str, with_certificate: bool| {
        let mut curl = curl();
        let fixtures = format!("{}/tests/envoy/fixtures", env!("CARGO_MANIFEST_DIR"));
        if with_certificate {
            curl.args([
                "--cert",
                &format!("{fixtures}/client.pem"),
                "--key",
                &format!("{fixtures}/client-key.pem"),
            ]);
        }
        curl.args([
            "--insecure",
            "--header",
            &format!("authorization: Bearer {token}"),
        ]);
        curl.arg(format!("https://127.0.0.1:{}/", gateway.tls_port()));
        run_curl(curl)
    };
    for (name, token, with_certificate, wanted) in [
        ("the client's own certificate", &bound, true, "200"),
        ("no certificate", &bound, false, "401"),
        ("another's certificate", &stolen, true, "401"),
        (
            "a second confirmation that nobody checks",
            &twice,
            true,
            "401",
        ),
    ] {
        let answer = ask(token, with_certificate);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {wanted}")),
            "{name}: {answer}\n{}",
            gateway.log_tail()
        );
        assert!(
            wanted == "200" || answer.contains("\"INVALID_TOKEN\""),
            "{name}: {answer}"
        );
    }
    gateway.table(|rows| rows.refuses("no TLS", get("/").bearer(&bound), "INVALID_TOKEN"));
}
