//! `docs/differential.md`, which is the table.

use std::fs;
use std::path::Path;

use super::classes::{PATH_GAP, PORT_GAP, TARGETS, TOKENS, TokenClass};

const HEAD: &str = "\
# Where Portcullis and Envoy disagree

`cargo test --features envoy-tests --test differential` sends generated tokens to our filter and to Envoy's `jwt_authn`, and generated
paths and hosts to our rules and to Envoy's router, in one Envoy. Each disagreement must belong to a class below,
or the test fails. Three faults have no class and always fail:

- a bad token that we let in: the generator knows what it has signed and what it has broken;
- a request that reaches a route through another rule than that route's, with the settings of the shipped configurations:
  each rule requires a scope of its own, and the test repeats the request with a token that has only this scope;
- a path or a host with two readings that a rule judges, wherever Envoy routes it.

`make differential` runs it for longer, with a new seed each time (`DIFFERENTIAL_CASES`, `DIFFERENTIAL_SEED`).
`DIFFERENTIAL_WRITE=1 cargo test --features envoy-tests --test differential the_document` writes this file, and a test compares it.
";

const TARGET_HEAD: &str = "
## Paths and hosts

Virtual hosts and routes mirror the rules one to one: exact and wildcard hosts, `exact` as `path`, `prefix` as
`path_separated_prefix`, `regex` as `safe_regex`, and `template` as an equivalent `safe_regex`. Envoy's own URI
templates are not equivalent: there `/files/**` requires the slash, and `{id}` accepts only the characters of RFC 3986 §3.3.
Compared over HTTP/1 and HTTP/2, with `normalize_path` on and off and `allow_on_headers_stop_iteration` on and off.

| what is unusual | Portcullis | Envoy's router | why |
|---|---|---|---|
";

const GAPS_HEAD: &str = "
Envoy reads requests as we do only with the settings that every shipped configuration has. Without one of the first two, a
request is judged by one rule and routed to what another rule protects, so **the client can choose the weaker of the two**:

| without | a request | what happens |
|---|---|---|
";

const DOT_GAP: &[&str] = &[
    "`strip_trailing_host_dot`",
    "`Host: www.example.com.`",
    "AMBIGUOUS_HOST, although the name is valid",
];

const TOKEN_HEAD: &str = "
## Tokens

`jwt_authn` has the same keys, issuers, audiences, clock tolerance and `require_expiration`. Both read `Bearer` in
any case: `jwt_authn` has the spellings one by one.

We refuse these tokens, `jwt_authn` lets them in:

| what is unusual | Portcullis | why |
|---|---|---|
";

const GOOD_HEAD: &str = "
It refuses these tokens, we let them in. They are valid, signed by the issuer's key and in time; `jwt_authn` cannot read them:

| what is unusual | `jwt_authn` | why it is good |
|---|---|---|
";

const FOOT: &str = "
## Not compared

CORS preflights, which we judge by the method that they ask for while Envoy routes them as `OPTIONS`; credentials in queries and
cookies, which `jwt_authn` does not strip; everything that needs a callout.
";

/// Panics where the document is not what the table says; with `DIFFERENTIAL_WRITE` writes it instead.
pub fn check() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/differential.md");
    let text = render();
    if std::env::var_os("DIFFERENTIAL_WRITE").is_some() {
        fs::write(&path, text).expect("a writable folder");
        return;
    }
    let found = fs::read_to_string(&path).expect("docs/differential.md is there");
    assert!(
        found == text,
        "docs/differential.md is not the table: run it once with DIFFERENTIAL_WRITE=1"
    );
}

fn render() -> String {
    let mut text = format!("{HEAD}{TARGET_HEAD}");
    for class in TARGETS {
        let ours = class.ours.unwrap_or("judges it by a rule for every host");
        text.push_str(&row(&[class.odd, ours, class.router, class.why]));
    }
    text.push_str(GAPS_HEAD);
    for gap in [PATH_GAP, PORT_GAP] {
        text.push_str(&row(&[
            &format!("`{}`", gap.without),
            gap.request,
            gap.what,
        ]));
    }
    text.push_str(&row(DOT_GAP));
    text.push_str(TOKEN_HEAD);
    let (ours, theirs): (Vec<_>, Vec<_>) = TOKENS
        .iter()
        .partition(|class: &&TokenClass| !class.ours.is_empty());
    for class in ours {
        text.push_str(&row(&[
            &class.odd.join("; "),
            &class.ours.join(", "),
            class.why,
        ]));
    }
    text.push_str(GOOD_HEAD);
    for class in theirs {
        text.push_str(&row(&[&class.odd.join("; "), class.theirs, class.why]));
    }
    text.push_str(FOOT);
    text
}

fn row(cells: &[&str]) -> String {
    format!("| {} |\n", cells.join(" | "))
}
