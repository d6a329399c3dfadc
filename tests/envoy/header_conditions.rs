//! Headers and trailers as Envoy hands them on, and what it joins.

use portcullis_core::request::header_name::HeaderName;
use serde_json::json;

use crate::harness::client::get;
use crate::harness::gateway::Setup;
use crate::harness::keys::Key;
use crate::harness::policy::{only, provider};

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
