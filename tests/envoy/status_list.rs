//! Tokens that carry their place in a status list (IETF Token Status List).

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::{Value, json};

use crate::harness::client::{Request, get};
use crate::harness::faults;
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::keys::{Key, amended, encode};
use crate::harness::now;
use crate::harness::policy::{only, provider};
use crate::harness::service::{Reply, Service};

pub const PREFIX: &str = "http://authority.example.com/status/";

fn listed(key: &Key, changes: Value) -> Value {
    let settings = json!({ "cluster": "authority", "uri_prefix": PREFIX, "timeout": "1s" });
    amended(
        provider([key]),
        json!({ "revocation": { "status_list": amended(settings, changes) } }),
    )
}

fn start(provider: Value, authority: &Service) -> Gateway {
    Setup::of(only(provider))
        .workers(2)
        .cluster("authority", authority.port())
        .start()
}

fn compressed(statuses: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(statuses)
        .and_then(|()| encoder.finish())
        .expect("memory is no file")
}

/// The claims of a good list at `name`, whose statuses lie in these bytes.
pub fn list(name: &str, bits: u8, statuses: &[u8]) -> Value {
    let now = now();
    json!({
        "sub": format!("{PREFIX}{name}"), "iat": now, "exp": now + 600, "ttl": 300,
        "status_list": { "bits": bits, "lst": encode(compressed(statuses)) },
    })
}

pub fn sealed(key: &Key, claims: &Value) -> Vec<u8> {
    let header = json!({ "alg": key.alg, "kid": key.kid, "typ": "statuslist+jwt" });
    key.seal(header.to_string(), claims.to_string())
        .into_bytes()
}

pub fn answered(body: impl Into<Vec<u8>>) -> Reply {
    Reply::with(200, "application/statuslist+jwt", body)
}

/// A token at this place of a list.
fn at(key: &Key, uri: &str, index: Value) -> Request {
    get("/").bearer(key.token(json!({ "status": { "status_list": { "uri": uri, "idx": index } } })))
}

/// Lists by their names; others are not found.
fn library(lists: impl IntoIterator<Item = (String, Vec<u8>)>) -> Service {
    let lists: HashMap<String, Vec<u8>> = lists.into_iter().collect();
    Service::start(
        move |call| match lists.get(call.route().trim_start_matches("/status/")) {
            Some(list) => answered(list.clone()),
            None => Reply::with(404, "text/plain", "no such list"),
        },
    )
}

#[test]
fn a_status_is_found_by_its_place() {
    let key = Key::new("ES256", "k");
    // Least significant bits first: 0b11100100 holds 0, 1, 2, 3 in two bits each.
    let lists = [
        ("1", 1, vec![0b1011_1001, 0b1010_0011]),
        ("2", 2, vec![0b1110_0100]),
        ("4", 4, vec![0x10, 0xf2]),
        ("8", 8, vec![0, 1, 2, 255]),
        ("long", 1, vec![0; 1 << 17]),
    ];
    let authority = library(
        lists.map(|(name, bits, bytes)| (name.to_owned(), sealed(&key, &list(name, bits, &bytes)))),
    );
    let gateway = start(listed(&key, json!({})), &authority);
    gateway.table(|rows| {
        let statuses: [(&str, &[u8]); 4] = [
            ("1", &[1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]),
            ("2", &[0, 1, 2, 3]),
            ("4", &[0, 1, 2, 15]),
            ("8", &[0, 1, 2, 255]),
        ];
        for (name, statuses) in statuses {
            for (index, status) in statuses.iter().enumerate() {
                let (label, request) = (
                    format!("{name} bits, place {index}"),
                    at(&key, &format!("{PREFIX}{name}"), json!(index)),
                );
                match status {
                    0 => rows.passes(&label, request),
                    _ => rows.refuses(&label, request, "TOKEN_REVOKED"),
                }
            }
        }
        rows.passes(
            "the last place",
            at(&key, &format!("{PREFIX}long"), json!((1 << 20) - 1)),
        );
        let (one, beyond) = (format!("{PREFIX}1"), "INVALID_TOKEN");
        for index in [json!(16), json!(u64::MAX), json!(1_u64 << 32)] {
            rows.refuses(
                &format!("place {index} is beyond the list"),
                at(&key, &one, index),
                beyond,
            );
        }
        let malformed = "INVALID_TOKEN";
        for index in [json!(-1), json!(1.5), json!("1"), json!(true), json!([1])] {
            rows.refuses(
                &format!("place {index} is none"),
                at(&key, &one, index),
                malformed,
            );
        }
        let with = |status: Value| get("/").bearer(key.token(json!({ "status": status })));
        for status in [
            json!({}),
            json!("x"),
            json!({ "status_list": {} }),
            json!({ "status_list": { "idx": 1 } }),
            json!({ "status_list": { "uri": one } }),
            json!({ "status_list": { "uri": 7, "idx": 1 } }),
        ] {
            rows.refuses(&format!("status {status}"), with(status.clone()), malformed);
        }
        rows.refuses(
            "no status",
            get("/").bearer(key.token(json!({}))),
            malformed,
        );
        for uri in [
            "http://evil.example/status/1",
            "https://authority.example.com/status/1",
            "http://authority.example.com/other/1",
            "http://authority.example.com/status",
            "http://authority.example.com/status/../other",
            "http://authority.example.com/status/./1",
            "http://authority.example.com/status/%31",
            "http://authority.example.com/status/1?x=1",
            "http://authority.example.com/status/1#x",
            "http://authority.example.com@evil.example/status/1",
            "HTTP://authority.example.com/status/1",
            "http://authority.example.com/status/1 ",
            "http://authority.example.com/status/a\\b",
            "",
        ] {
            rows.refuses(&format!("uri {uri:?}"), at(&key, uri, json!(1)), malformed);
        }
    });
    for name in ["1", "2", "4", "8"] {
        assert!(
            (1..=2).contains(&authority.count(&format!("/status/{name}"))),
            "list {name} was fetched {} times",
            authority.count(&format!("/status/{name}"))
        );
    }
    assert_eq!(authority.count("/other/1") + authority.count("/other"), 0);

    let optional = start(listed(&key, json!({ "required": false })), &authority);
    optional.table(|rows| {
        rows.passes(
            "no status, where none is required",
            get("/").bearer(key.token(json!({}))),
        );
        rows.refuses(
            "but one that is there counts",
            at(&key, &format!("{PREFIX}8"), json!(1)),
            "TOKEN_REVOKED",
        );
        rows.refuses(
            "also a malformed one",
            get("/").bearer(key.token(json!({ "status": { "status_list": 7 } }))),
            "INVALID_TOKEN",
        );
    });
}

#[test]
fn a_list_must_be_the_issuers() {
    let (key, stranger) = (Key::new("ES256", "k"), Key::new("ES256", "k"));
    let claims = |name: &str, changes: Value| amended(list(name, 1, &[0]), changes);
    let typed = |typ: Value, name: &str| {
        let header = amended(json!({ "alg": "ES256", "kid": "k" }), json!({ "typ": typ }));
        key.seal(header.to_string(), list(name, 1, &[0]).to_string())
            .into_bytes()
    };
    let status = |value: Value| json!({ "status_list": value });
    let bomb = encode(compressed(&vec![0; 256 << 20]));
    let bad: Vec<(&str, Vec<u8>)> = vec![
        ("forged", sealed(&stranger, &list("forged", 1, &[0]))),
        (
            "unsigned",
            format!(
                "{}.{}.",
                encode(r#"{"alg":"none","typ":"statuslist+jwt"}"#),
                encode(list("unsigned", 1, &[0]).to_string())
            )
            .into_bytes(),
        ),
        ("typ-jwt", typed(json!("JWT"), "typ-jwt")),
        ("typ-none", typed(Value::Null, "typ-none")),
        ("another-sub", sealed(&key, &list("other", 1, &[0]))),
        (
            "no-sub",
            sealed(&key, &claims("no-sub", json!({ "sub": null }))),
        ),
        (
            "expired",
            sealed(&key, &claims("expired", json!({ "exp": now() - 3600 }))),
        ),
        (
            "no-list",
            sealed(&key, &claims("no-list", json!({ "status_list": null }))),
        ),
        (
            "bits-3",
            sealed(
                &key,
                &claims(
                    "bits-3",
                    status(json!({ "bits": 3, "lst": encode(compressed(&[0])) })),
                ),
            ),
        ),
        (
            "bits-string",
            sealed(
                &key,
                &claims(
                    "bits-string",
                    status(json!({ "bits": "1", "lst": encode(compressed(&[0])) })),
                ),
            ),
        ),
        (
            "not-compressed",
            sealed(
                &key,
                &claims(
                    "not-compressed",
                    status(json!({ "bits": 1, "lst": encode([0, 0]) })),
                ),
            ),
        ),
        (
            "cut",
            sealed(
                &key,
                &claims(
                    "cut",
                    status(json!({ "bits": 1, "lst": encode(&compressed(&[7; 100])[..8]) })),
                ),
            ),
        ),
        (
            "not-base64",
            sealed(
                &key,
                &claims("not-base64", status(json!({ "bits": 1, "lst": "*" }))),
            ),
        ),
        (
            "bomb",
            sealed(
                &key,
                &claims("bomb", status(json!({ "bits": 1, "lst": bomb }))),
            ),
        ),
        ("rubbish", b"rubbish".to_vec()),
    ];
    let names: Vec<&str> = bad.iter().map(|(name, _)| *name).collect();
    let authority = library(
        bad.iter()
            .map(|(name, body)| ((*name).to_owned(), body.clone())),
    );
    let gateway = start(listed(&key, json!({})), &authority);
    gateway.table(|rows| {
        for name in &names {
            rows.refuses(
                name,
                at(&key, &format!("{PREFIX}{name}"), json!(0)),
                "REVOCATION_UNAVAILABLE",
            );
        }
        rows.refuses(
            "not found",
            at(&key, &format!("{PREFIX}nowhere"), json!(0)),
            "REVOCATION_UNAVAILABLE",
        );
    });
    assert_eq!(
        gateway.counter("wasm.portcullis.vm_reload_success"),
        0,
        "{}",
        gateway.log_tail()
    );
    let lists: HashMap<String, Vec<u8>> = names
        .iter()
        .map(|name| {
            (
                format!("/status/{name}"),
                sealed(&key, &list(name, 1, &[0])),
            )
        })
        .collect();
    authority.script(move |call| answered(lists[call.route()].clone()));
    for name in &names {
        gateway.await_status(&at(&key, &format!("{PREFIX}{name}"), json!(0)), 200);
    }
}

#[test]
fn a_list_that_does_not_come_is_never_the_clients_fault() {
    let key = Key::new("ES256", "k");
    let timeout = Duration::from_secs(1);
    let faults = |name: &str| {
        faults::of(
            &sealed(&key, &list(name, 1, &[0])),
            "application/statuslist+jwt",
            timeout,
        )
    };
    let faults: HashMap<String, Reply> = faults("x")
        .into_iter()
        .map(|(name, _)| {
            (
                format!("/status/{name}"),
                faults(name)
                    .into_iter()
                    .find(|(other, _)| *other == name)
                    .expect("the same names")
                    .1,
            )
        })
        .collect();
    let names: Vec<String> = faults
        .keys()
        .map(|path| path.trim_start_matches("/status/").to_owned())
        .collect();
    let authority = Service::start(move |call| faults[call.route()].clone());
    let gateway = start(listed(&key, json!({})), &authority);
    for _ in ["first", "again"] {
        for outcome in gateway.send_all(
            names
                .iter()
                .map(|name| at(&key, &format!("{PREFIX}{name}"), json!(0)))
                .collect(),
        ) {
            outcome.assert_refused("REVOCATION_UNAVAILABLE");
            outcome.assert_within(timeout + Duration::from_secs(1));
        }
    }
    let lists: HashMap<String, Vec<u8>> = names
        .iter()
        .map(|name| {
            (
                format!("/status/{name}"),
                sealed(&key, &list(name, 1, &[0])),
            )
        })
        .collect();
    authority.script(move |call| answered(lists[call.route()].clone()));
    for name in &names {
        gateway.await_status(&at(&key, &format!("{PREFIX}{name}"), json!(0)), 200);
    }

    for cluster in ["unknown", "hostless"] {
        let gateway = Setup::of(only(listed(&key, json!({ "cluster": cluster }))))
            .cluster_without_hosts("hostless")
            .start();
        gateway.table(|rows| {
            rows.refuses(
                cluster,
                at(&key, &format!("{PREFIX}1"), json!(0)),
                "REVOCATION_UNAVAILABLE",
            )
        });
    }
    let allowing = Setup::of(only(listed(
        &key,
        json!({ "cluster": "hostless", "on_unavailable": "danger_allow" }),
    )))
    .cluster_without_hosts("hostless");
    if let Ok(gateway) = allowing.try_start() {
        gateway
            .table(|rows| rows.passes("danger_allow", at(&key, &format!("{PREFIX}1"), json!(0))));
    }
}

#[test]
fn a_list_is_kept_for_its_ttl() {
    let key = Arc::new(Key::new("ES256", "k"));
    let status = Arc::new(Mutex::new(0_u8));
    let (signer, current) = (Arc::clone(&key), Arc::clone(&status));
    let authority = Service::start(move |_| {
        let status = *current.lock().unwrap_or_else(PoisonError::into_inner);
        answered(sealed(
            &signer,
            &amended(list("1", 8, &[status]), json!({ "ttl": 2 })),
        ))
        .after(Duration::from_millis(400))
    });
    let gateway = start(listed(&key, json!({ "timeout": "5s" })), &authority);
    let fresh = |number: usize| {
        get("/").bearer(key.token(json!({ "jti": number.to_string(), "status": { "status_list": { "uri": format!("{PREFIX}1"), "idx": 0 } } })))
    };
    for outcome in gateway.send_all((0..40).map(fresh).collect()) {
        outcome.assert_passed();
    }
    assert!(
        authority.count("/status/1") <= 2,
        "{} fetches by two workers",
        authority.count("/status/1")
    );
    let cached = at(&key, &format!("{PREFIX}1"), json!(0));
    gateway.timed(cached.clone()).assert_passed();
    *status.lock().unwrap_or_else(PoisonError::into_inner) = 1;
    gateway
        .await_status(&cached, 401)
        .assert_refused("TOKEN_REVOKED");
    thread::sleep(Duration::from_millis(2500));
    gateway.table(|rows| {
        for number in 100..108 {
            rows.refuses("every worker knows", fresh(number), "TOKEN_REVOKED");
        }
        rows.refuses(
            "a stranger's token asks nobody",
            at(&Key::new("ES256", "k"), &format!("{PREFIX}2"), json!(0)),
            "INVALID_SIGNATURE",
        );
    });
    assert_eq!(authority.count("/status/2"), 0);
}
