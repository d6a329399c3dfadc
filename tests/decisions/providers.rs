//! Which provider a token is judged by: one of its rule's, that takes tokens from its place.

use serde_json::json;

use super::harness::keys::{Key, amended};
use super::harness::policy::{AUDIENCE, provider};
use super::harness::{Filter, PASSES, get};

const OTHER: &str = "https://other.example.com/";
const ISSUER: &str = "INVALID_ISSUER";

/// Two providers; `corp` takes its tokens from `x-corp` too, `other` from `x-other`.
fn filter(corp: &Key, other: &Key) -> Filter {
    let from = |header: &str| {
        json!({ "from": { "headers": [
            { "name": "authorization", "prefix": "Bearer " }, { "name": header },
        ] } })
    };
    let only_own = json!({ "from": { "headers": [{ "name": "x-other" }] }, "issuer": OTHER });
    let on = |path: &str, provider: &str| json!({ "match": { "path": { "exact": path } }, "credentials": [provider] });
    Filter::new(json!({
        "providers": {
            "corp": amended(provider([corp]), from("x-corp")),
            "other": amended(provider([other]), only_own),
        },
        "rules": [on("/corp", "corp"), on("/other", "other"), {}],
    }))
}

/// A token that one rule let in is remembered, and is nothing to a rule that does not take its provider's tokens.
#[test]
fn a_remembered_token_is_good_for_rules_of_its_provider() {
    let [corp, other] = [Key::new("ES256", "k"), Key::new("ES256", "k")];
    let shared = json!({ "issuer": OTHER });
    let on = |path: &str, provider: &str| json!({ "match": { "path": { "exact": path } }, "credentials": [provider] });
    let mut filter = Filter::new(json!({
        "providers": {
            "corp": provider([&corp]), "other": amended(provider([&other]), shared),
        },
        "rules": [on("/corp", "corp"), on("/other", "other"), {}],
    }));
    let of_corp = corp.token(json!({}));
    let of_other = other.token(json!({ "iss": OTHER }));
    let ask = |path: &str, token: &str| get(path).bearer(token);
    filter.table(&[
        ("new, another's rule", ask("/other", &of_corp), ISSUER),
        ("its rule", ask("/corp", &of_corp), PASSES),
        ("any provider's rule", ask("/", &of_corp), PASSES),
        ("known, another's rule", ask("/other", &of_corp), ISSUER),
        ("the other's, new", ask("/corp", &of_other), ISSUER),
        ("the other's rule", ask("/other", &of_other), PASSES),
        ("the other's, known", ask("/corp", &of_other), ISSUER),
    ]);
}

/// A place belongs to the providers that name it, also where the rule would take another's token.
#[test]
fn a_token_counts_in_its_providers_places() {
    let [corp, other] = [Key::new("ES256", "k"), Key::new("ES256", "k")];
    let mut filter = filter(&corp, &other);
    let of_corp = corp.token(json!({}));
    let of_other = other.token(json!({ "iss": OTHER, "aud": AUDIENCE }));
    let ask = |header: &str, token: &str| get("/").with(header, token);
    filter.table(&[
        ("new, in another's place", ask("x-other", &of_corp), ISSUER),
        ("in its place", ask("x-corp", &of_corp), PASSES),
        ("as a bearer", get("/").bearer(&of_corp), PASSES),
        (
            "known, in another's place",
            ask("x-other", &of_corp),
            ISSUER,
        ),
        ("the other's, new", ask("x-corp", &of_other), ISSUER),
        (
            "the other's, as a bearer",
            get("/").bearer(&of_other),
            ISSUER,
        ),
        (
            "the other's, in its place",
            ask("x-other", &of_other),
            PASSES,
        ),
        ("the other's, known", ask("x-corp", &of_other), ISSUER),
        ("known, as a bearer", get("/").bearer(&of_other), ISSUER),
    ]);
}

/// Envoy joins doubled headers with commas: what is hidden in a list is a credential where its scheme is looked for under
/// that very name.
#[test]
fn a_scheme_is_looked_for_under_its_own_name() {
    let key = Key::new("ES256", "k");
    let from = json!({ "from": { "headers": [
        { "name": "authorization", "prefix": "Bearer " }, { "name": "x-token", "prefix": "Token " },
        { "name": "x-raw" },
    ] } });
    let mut filter = Filter::new(json!({
        "providers": { "corp": amended(provider([&key]), from) },
        "rules": [{ "access": "optional" }],
    }));
    let ambiguous = "AMBIGUOUS_CREDENTIALS";
    for (header, value, expected) in [
        ("authorization", "Basic eA==, Bearer x", ambiguous),
        ("authorization", "Basic eA==, Token x", PASSES),
        ("x-raw", "a, Bearer x", "MALFORMED_TOKEN"),
        ("x-raw", "a, Token x", "MALFORMED_TOKEN"),
    ] {
        let found = filter.ask(&get("/").with(header, value));
        assert_eq!(found.code(), expected, "{header}: {value}");
    }
}
