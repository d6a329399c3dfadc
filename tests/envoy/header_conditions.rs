//! Headers as Envoy hands them on: what it joins, and what it makes of a handshake of WebSockets.

use portcullis_core::request::header_name::HeaderName;
use portcullis_testing::http2;
use serde_json::json;

use crate::harness::client::{Request, get};
use crate::harness::gateway::Setup;
use crate::harness::keys::Key;
use crate::harness::policy::{only, provider};
use crate::harness::refusal::{self, Challenge};

/// Names that requests have. Envoy's own are among them, and those that its extensions ask for.
const NAMES: &str = "accept accept-charset accept-encoding accept-language access-control-request-headers \
    access-control-request-method access-control-request-private-network age baggage cache-control cdn-loop \
    content-encoding content-language content-type date dnt dpop expires forwarded from grpc-accept-encoding \
    grpc-encoding grpc-timeout if-match if-modified-since if-none-match if-range if-unmodified-since last-event-id \
    mcp-method mcp-name mcp-protocol-version origin pragma prefer priority proxy-status range referer \
    sec-fetch-dest sec-fetch-mode sec-fetch-site sec-websocket-key sec-websocket-protocol traceparent tracestate \
    user-agent via warning x-amzn-trace-id x-b3-traceid x-client-trace-id x-envoy-attempt-count \
    x-envoy-decorator-operation x-envoy-downstream-service-cluster x-envoy-downstream-service-node \
    x-envoy-external-address x-envoy-ip-tags x-envoy-is-timeout-retry x-envoy-max-retries x-envoy-original-host \
    x-envoy-original-path x-envoy-retry-on x-envoy-upstream-rq-timeout-ms x-forwarded-for x-forwarded-host \
    x-forwarded-port x-forwarded-prefix x-forwarded-proto x-http-method-override x-original-url x-ot-span-context \
    x-prompt-category x-real-ip x-request-id x-tenant x-version";

/// Where two headers arrive as one, a comma is all that is left of the second.
#[test]
fn what_envoy_joins_is_known() {
    let key = Key::new("ES256", "k");
    let open = json!({ "providers": { "corp": provider([&key]) }, "unmatched": "anonymous" });
    let gateway = Setup::of(open).start();
    let (mut joined, mut apart) = (0, 0);
    for name in NAMES.split_whitespace() {
        let answer = gateway.send(&get("/").header(name, "1").header(name, "2"));
        let seen = answer.seen().expect(name);
        if seen.all(name) == ["1", "2"] {
            apart += 1;
        } else {
            assert!(
                HeaderName::new(name).is_joined(),
                "{name}: {:?}",
                seen.all(name)
            );
            joined += 1;
        }
    }
    assert!(joined > 25 && apart > 25, "{joined} joined, {apart} apart");
}

/// WebSockets know no CORS: any page may open one, and the browser sends the cookies.
#[test]
fn a_socket_with_a_cookie_is_for_pages_of_its_own_origin() {
    let key = Key::new("ES256", "k");
    let mut provider = provider([&key]);
    provider["from"] =
        json!({ "cookies": ["session"], "cookie_origins": ["https://www.example.com"] });
    let gateway = Setup::of(only(provider)).web_sockets().start();
    let cookie = format!("session={}", key.token(json!({})));
    let request = || get("/").host("api.example.com").header("cookie", &cookie);
    let socket = || {
        request()
            .header("upgrade", "websocket")
            .header("connection", "upgrade")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("sec-websocket-version", "13")
    };
    let from = |request: Request, origin: &str| request.header("origin", origin);
    for (what, request) in [
        ("no page", socket()),
        ("its own page", from(socket(), "https://api.example.com")),
        (
            "a page that is listed",
            from(socket(), "https://www.example.com"),
        ),
        (
            "another page, without a socket",
            from(request(), "https://evil.example"),
        ),
    ] {
        let answer = gateway.send(&request);
        let has_passed = answer.header("x-echo").is_some();
        assert!(has_passed, "{what}: {answer:?}");
    }
    for (what, request) in [
        ("another page", from(socket(), "https://evil.example")),
        ("a sandboxed page", from(socket(), "null")),
        (
            "another site",
            socket().header("sec-fetch-site", "cross-site"),
        ),
        (
            "two pages",
            from(
                from(socket(), "https://www.example.com"),
                "https://evil.example",
            ),
        ),
    ] {
        let answer = gateway.send(&request);
        let checked = refusal::check(&answer, "CROSS_SITE_REQUEST", Challenge::Bearer);
        assert_eq!(checked, Ok(()), "{what}: {answer:?}");
    }
    let over_http2 = |origin: &str| {
        let answer = http2::open_socket(&from(request(), origin), gateway.port());
        answer.expect("an answer")
    };
    let answer = over_http2("https://api.example.com");
    assert!(answer.header("x-echo").is_some(), "{answer:?}");
    let answer = over_http2("https://evil.example");
    let checked = refusal::check(&answer, "CROSS_SITE_REQUEST", Challenge::Bearer);
    assert_eq!(checked, Ok(()), "{answer:?}");
}

/// The upstream gets the header that was compared, and no trailer that says otherwise.
#[test]
fn a_trailer_does_not_name_another_tenant() {
    let key = Key::new("ES256", "k");
    let mut policy = only(provider([&key]));
    policy["rules"][0]["claims"] =
        json!([{ "claim": "tenant", "equals": { "header": "x-tenant" } }]);
    let gateway = Setup::of(policy).start();
    let request = get("/")
        .bearer(key.token(json!({ "tenant": "acme" })))
        .header("x-tenant", "acme")
        .piece("{}")
        .trailer("x-tenant", "globex")
        .trailer("x_tenant", "globex")
        .trailer("x-checksum", "1");
    let answer = gateway.send(&request);
    let seen = answer.seen().expect("it passes");
    assert_eq!(seen.all("x-tenant"), ["acme"]);
    assert_eq!(seen.trailers, [("x-checksum".to_owned(), "1".to_owned())]);
}
