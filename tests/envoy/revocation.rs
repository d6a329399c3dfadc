//! The list of what no longer counts, polled while requests pass.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::client::{Request, get};
use crate::harness::faults;
use crate::harness::gateway::{Gateway, Outcome, Setup};
use crate::harness::keys::{Key, amended, fresh_api_key, sha256};
use crate::harness::policy::{ISSUER, api_key, only, provider};
use crate::harness::service::{Call, Reply, Service};
use crate::harness::{NOISE, PATIENCE, now, poll};

const INTERVAL: Duration = Duration::from_secs(1);

/// A list as an authority keeps it: entries are only ever added, and the cursor counts them.
#[derive(Clone, Default)]
struct List(Arc<Mutex<Vec<Value>>>);

impl List {
    fn of(entries: &[Value]) -> Self {
        Self(Arc::new(Mutex::new(entries.to_vec())))
    }

    fn serve(&self) -> Service {
        let list = self.clone();
        Service::start(move |call| list.page(call))
    }

    fn page(&self, call: &Call) -> Reply {
        let entries = self.entries();
        let since = since(call)
            .and_then(|cursor| cursor.parse().ok())
            .unwrap_or(0)
            .min(entries.len());
        Reply::json(&json!({ "cursor": entries.len().to_string(), "revoked": entries[since..] }))
    }

    fn add(&self, entry: Value) {
        self.entries().push(entry);
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn since(call: &Call) -> Option<String> {
    let (_, query) = call.path.split_once('?')?;
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix("since="))
        .map(str::to_owned)
}

fn listed(provider: Value, uri: &str, changes: Value) -> Value {
    let list = json!({ "cluster": "authority", "uri": format!("http://authority.example.com{uri}"), "refresh_interval": "1s", "timeout": "1s", "max_staleness": "60s" });
    amended(
        provider,
        json!({ "revocation": { "list": amended(list, changes) } }),
    )
}

fn start(provider: Value, authority: &Service) -> Gateway {
    Setup::of(only(provider))
        .workers(2)
        .cluster("authority", authority.port())
        .start()
}

/// Waits until a good token is refused on both workers, and tells how long that took.
fn await_refusal(gateway: &Gateway, request: &Request, codes: &str) -> Duration {
    let start = Instant::now();
    let mut in_a_row = 0;
    let last = poll(PATIENCE, || {
        let outcome = gateway.timed(request.clone());
        in_a_row = if outcome.answer.status == 200 {
            0
        } else {
            in_a_row + 1
        };
        (in_a_row == 8).then_some(outcome)
    });
    last.unwrap_or_else(|| panic!("never refused: {request:?}\n{}", gateway.log_tail()))
        .assert_refused(codes);
    start.elapsed()
}

#[test]
fn an_entry_counts_within_the_interval() {
    let key = Key::new("ES256", "k");
    let before = now() - 100;
    let list = List::of(&[
        json!({ "jti": "old", "exp": now() + 600 }),
        json!({ "sub": "mallory", "before": before }),
        json!({ "client_id": "rogue", "before": before }),
        json!({ "sub": "bob", "client_id": "app", "before": before }),
    ]);
    let authority = list.serve();
    let other = amended(provider([&key]), json!({ "issuer": "other" }));
    let policy = json!({ "providers": { "corp": listed(provider([&key]), "/revocations?format=json", json!({})), "other": other }, "rules": [{}] });
    let gateway = Setup::of(policy)
        .workers(2)
        .cluster("authority", authority.port())
        .start();
    let with = |changes: Value| {
        let mut claims = json!({ "jti": "fresh" });
        // Not amended, which would keep `null` from the claims that it is to remove.
        for (name, value) in changes.as_object().expect("changes") {
            claims[name] = value.clone();
        }
        get("/").bearer(key.token(claims))
    };
    let (early, late) = (before - 10, before + 10);
    gateway.table(|rows| {
        rows.passes("nothing matches", with(json!({})));
        rows.refuses("by jti", with(json!({ "jti": "old" })), "TOKEN_REVOKED");
        rows.refuses(
            "by jti, whatever else differs",
            with(json!({ "jti": "old", "sub": "eve", "iat": late })),
            "TOKEN_REVOKED",
        );
        rows.refuses(
            "by subject",
            with(json!({ "sub": "mallory", "iat": early })),
            "TOKEN_REVOKED",
        );
        rows.refuses(
            "by subject, at the very second",
            with(json!({ "sub": "mallory", "iat": before })),
            "TOKEN_REVOKED",
        );
        rows.refuses(
            "by subject, no iat",
            with(json!({ "sub": "mallory", "iat": null })),
            "TOKEN_REVOKED",
        );
        rows.passes(
            "the subject's later token",
            with(json!({ "sub": "mallory", "iat": late })),
        );
        rows.refuses(
            "by client",
            with(json!({ "client_id": "rogue", "iat": early })),
            "TOKEN_REVOKED",
        );
        rows.refuses(
            "by client, its other name",
            with(json!({ "azp": "rogue", "iat": early })),
            "TOKEN_REVOKED",
        );
        rows.refuses(
            "by client, any of its names",
            with(json!({ "client_id": "app", "azp": "rogue", "iat": early })),
            "TOKEN_REVOKED",
        );
        rows.passes(
            "the client's later token",
            with(json!({ "client_id": "rogue", "iat": late })),
        );
        rows.refuses(
            "by subject and client",
            with(json!({ "sub": "bob", "client_id": "app", "iat": early })),
            "TOKEN_REVOKED",
        );
        rows.passes(
            "the subject elsewhere",
            with(json!({ "sub": "bob", "client_id": "web", "iat": early })),
        );
        rows.passes(
            "another at that client",
            with(json!({ "sub": "alice", "client_id": "app", "iat": early })),
        );
        rows.passes(
            "a subject named like a jti",
            with(json!({ "sub": "old", "iat": early })),
        );
        rows.passes(
            "a jti named like a subject",
            with(json!({ "jti": "mallory", "iat": early })),
        );
        rows.passes(
            "another provider's token",
            with(json!({ "jti": "old", "iss": "other" })),
        );
        let untraceable = with(json!({ "jti": null, "sub": null }));
        rows.refuses("nothing could ever revoke it", untraceable, "INVALID_TOKEN");
        rows.refuses(
            "a bad token is bad first",
            with(json!({ "jti": "old", "exp": 1 })),
            "TOKEN_EXPIRED",
        );
    });

    let cached = with(json!({ "jti": "leaked" }));
    for _ in 0..8 {
        gateway.timed(cached.clone()).assert_passed();
    }
    list.add(json!({ "jti": "leaked", "exp": now() + 600 }));
    let elapsed = await_refusal(&gateway, &cached, "TOKEN_REVOKED");
    assert!(elapsed < INTERVAL * 2 + NOISE, "seen after {elapsed:?}");
    // ECDSA signs anew each time: the same token in other bytes.
    gateway.table(|rows| {
        rows.refuses(
            "re-encoded",
            with(json!({ "jti": "leaked" })),
            "TOKEN_REVOKED",
        )
    });

    let calls = authority.calls();
    assert_eq!(calls[0].path, "/revocations?format=json");
    assert!(
        calls[1..]
            .iter()
            .all(|call| call.path.starts_with("/revocations?format=json&since=")),
        "{calls:?}"
    );
    gateway.assert_counts_at_least("portcullis.callout.revocation.ok", 1);
}

#[test]
fn one_worker_polls_for_all() {
    let list = List::default();
    let authority = list.serve();
    let _gateway = start(
        listed(
            provider([&Key::new("ES256", "k")]),
            "/revocations",
            json!({}),
        ),
        &authority,
    );
    authority.await_count("/revocations", 1);
    thread::sleep(Duration::from_secs(6));
    let count = authority.count("/revocations");
    assert!(
        (5..=9).contains(&count),
        "{count} polls in six seconds at an interval of one"
    );
}

#[test]
fn pages_count_when_the_last_is_there() {
    let key = Key::new("ES256", "k");
    let page = |cursor: &str, jti: &str, more: bool| {
        Reply::json(
            &json!({ "cursor": cursor, "revoked": [{ "jti": jti, "exp": now() + 600 }], "more": more }),
        )
    };
    let authority = Service::start(move |call| match since(call).as_deref() {
        None => page("a b&c=d", "one", true),
        Some(cursor) if ["a%20b%26c%3Dd", "a+b%26c%3Dd"].contains(&cursor) => {
            Reply::with(500, "text/plain", "not yet")
        }
        Some(_) => page("end", "three", false),
    });
    let gateway = start(
        listed(
            provider([&key]),
            "/revocations",
            json!({ "refresh_interval": "2s" }),
        ),
        &authority,
    );
    let by = |jti: &str| get("/").bearer(key.token(json!({ "jti": jti })));
    authority.await_count("/revocations", 4);
    gateway
        .timed(by("two"))
        .assert_refused("REVOCATION_UNAVAILABLE");
    gateway
        .timed(by("one"))
        .assert_refused("REVOCATION_UNAVAILABLE");

    authority.script(move |call| match since(call).as_deref() {
        None => page("middle", "one", true),
        Some("middle") => page("last", "two", true),
        Some(_) => page("end", "three", false),
    });
    gateway.await_status(&by("four"), 200);
    gateway.table(|rows| {
        for jti in ["one", "two", "three"] {
            rows.refuses(jti, by(jti), "TOKEN_REVOKED");
        }
        rows.passes("four", by("four"));
    });
    let last: Vec<_> = authority.calls().iter().rev().filter_map(since).collect();
    assert!(
        last.contains(&"end".to_owned()) || last.contains(&"last".to_owned()),
        "{last:?}"
    );

    // A reset lifts what it does not repeat.
    authority.script(|_| Reply::json(&json!({ "reset": true, "cursor": "new", "revoked": [{ "jti": "five", "exp": now() + 600 }] })));
    await_refusal(&gateway, &by("five"), "TOKEN_REVOKED");
    for jti in ["one", "two", "three"] {
        gateway.await_status(&by(jti), 200);
    }
}

#[test]
fn a_page_that_nobody_can_honour_is_no_page() {
    let key = Key::new("ES256", "k");
    let entry = json!({ "jti": "revoked", "exp": now() + 600 });
    let with = |bad: Value| json!({ "cursor": "9", "revoked": [entry, bad] });
    let pages = [
        ("an unknown kind", with(json!({ "email": "x" }))),
        ("no kind", with(json!({}))),
        ("a key id", with(json!({ "key_id": "robot" }))),
        (
            "jti is a number",
            with(json!({ "jti": 7, "exp": now() + 600 })),
        ),
        ("no before", with(json!({ "sub": "bob" }))),
        (
            "before is a string",
            with(json!({ "sub": "bob", "before": "now" })),
        ),
        ("no entry", with(json!("bob"))),
        ("no cursor", json!({ "revoked": [entry] })),
        (
            "cursor is a number",
            json!({ "cursor": 9, "revoked": [entry] }),
        ),
        ("no list", json!({ "cursor": "9" })),
        (
            "list of another type",
            json!({ "cursor": "9", "revoked": { "jti": "revoked" } }),
        ),
        (
            "too many",
            json!({ "cursor": "9", "revoked": (0..50_001).map(|number| json!({ "jti": number.to_string() })).collect::<Vec<_>>() }),
        ),
        (
            "too large",
            json!({ "cursor": "9", "revoked": [entry], "padding": "x".repeat(4 << 20) }),
        ),
    ];
    let path = |number: usize| format!("/list-{number}");
    let mut providers = serde_json::Map::new();
    for number in 0..pages.len() {
        let provider = amended(provider([&key]), json!({ "issuer": path(number) }));
        providers.insert(
            format!("p{number}"),
            listed(provider, &path(number), json!({ "max_staleness": "4s" })),
        );
    }
    let authority = Service::start(|_| Reply::json(&json!({ "cursor": "1", "revoked": [] })));
    let gateway = Setup::of(json!({ "providers": providers, "rules": [{}] }))
        .cluster("authority", authority.port())
        .start();
    let by = |number: usize| {
        get("/").bearer(key.token(json!({ "iss": path(number), "jti": "revoked" })))
    };
    for number in 0..pages.len() {
        gateway.await_status(&by(number), 200);
    }
    let bodies: Vec<Value> = pages.iter().map(|(_, page)| page.clone()).collect();
    authority.script(move |call| {
        let number: usize = call
            .route()
            .trim_start_matches("/list-")
            .parse()
            .unwrap_or_default();
        Reply::json(&bodies[number])
    });
    let deadline = Instant::now() + PATIENCE;
    for (number, (name, _)) in pages.iter().enumerate() {
        loop {
            let outcome = gateway.timed(by(number));
            if outcome.answer.status == 200 {
                assert!(
                    Instant::now() < deadline,
                    "{name}: the page was taken, or never grew stale"
                );
                thread::sleep(Duration::from_millis(50));
                continue;
            }
            println!("{name}");
            outcome.assert_refused("REVOCATION_UNAVAILABLE");
            break;
        }
    }
}

/// Before the first list requests wait, but never longer than the fetch may take.
#[test]
fn a_list_that_does_not_come_is_never_the_clients_fault() {
    let key = Key::new("ES256", "k");
    let good = json!({ "cursor": "1", "revoked": [] }).to_string();
    let faults = faults::of(good.as_bytes(), "application/json", INTERVAL);
    let names: Vec<&str> = faults
        .iter()
        .map(|(name, _)| *name)
        .chain(["unknown", "hostless", "closed"])
        .collect();
    let mut providers = serde_json::Map::new();
    for name in &names {
        let cluster = if ["unknown", "hostless", "closed"].contains(name) {
            name
        } else {
            "authority"
        };
        let provider = amended(provider([&key]), json!({ "issuer": name }));
        providers.insert(
            name.to_string(),
            listed(provider, &format!("/{name}"), json!({ "cluster": cluster })),
        );
    }
    let authority = Service::start(move |call| {
        let name = call.route().trim_start_matches('/').to_owned();
        faults
            .iter()
            .find(|(fault, _)| *fault == name)
            .map_or(Reply::HangUp, |(_, reply)| reply.clone())
    });
    let mut closed = List::default().serve();
    closed.stop();
    let gateway = Setup::of(json!({ "providers": providers, "rules": [{}] }))
        .workers(2)
        .cluster("authority", authority.port())
        .cluster("closed", closed.port())
        .cluster_without_hosts("hostless")
        .start();
    let by = |name: &str| get("/").bearer(key.token(json!({ "iss": name, "jti": "x" })));
    for _ in ["at the start", "later"] {
        for outcome in gateway.send_all(names.iter().map(|name| by(name)).collect()) {
            outcome.assert_refused("REVOCATION_UNAVAILABLE");
            outcome.assert_within(INTERVAL + Duration::from_secs(1));
        }
    }
    let list = List::default();
    authority.script(move |call| list.page(call));
    closed.resume();
    for name in names
        .iter()
        .filter(|name| !["unknown", "hostless"].contains(name))
    {
        gateway.await_status(&by(name), 200);
    }
}

#[test]
fn the_first_list_is_waited_for() {
    let key = Key::new("ES256", "k");
    let authority = Service::start(|_| {
        Reply::json(&json!({ "cursor": "1", "revoked": [{ "jti": "revoked" }] }))
            .after(Duration::from_millis(1200))
    });
    let gateway = start(
        listed(provider([&key]), "/revocations", json!({ "timeout": "5s" })),
        &authority,
    );
    let by = |jti: &str| get("/").bearer(key.token(json!({ "jti": jti })));
    let outcomes: Vec<Outcome> =
        gateway.send_all(["good", "revoked"].repeat(8).into_iter().map(by).collect());
    for (index, outcome) in outcomes.iter().enumerate() {
        if index % 2 == 0 {
            outcome.assert_passed()
        } else {
            outcome.assert_refused("TOKEN_REVOKED")
        }
    }
}

#[test]
fn a_list_grows_stale_and_recovers() {
    let key = Key::new("ES256", "k");
    let list = List::of(&[json!({ "jti": "revoked", "exp": now() + 600 })]);
    let mut authority = list.serve();
    let named = |issuer: &str, changes: Value| {
        listed(
            amended(provider([&key]), json!({ "issuer": issuer })),
            &format!("/{issuer}"),
            changes,
        )
    };
    let policy = json!({
        "providers": {
            "strict": named("strict", json!({ "max_staleness": "3s" })),
            "lax": named("lax", json!({ "max_staleness": "3s", "on_stale": "danger_allow" })),
            "patient": named("patient", json!({ "max_staleness": "60s" })),
        },
        "rules": [{}],
    });
    let gateway = Setup::of(policy)
        .workers(2)
        .cluster("authority", authority.port())
        .start();
    let by =
        |issuer: &str, jti: &str| get("/").bearer(key.token(json!({ "iss": issuer, "jti": jti })));
    for issuer in ["strict", "lax", "patient"] {
        gateway.await_status(&by(issuer, "good"), 200);
    }
    authority.stop();
    gateway.timed(by("strict", "good")).assert_passed();
    await_refusal(&gateway, &by("strict", "good"), "REVOCATION_UNAVAILABLE");
    gateway.table(|rows| {
        for _ in 0..6 {
            rows.passes("stale is allowed", by("lax", "good"));
            rows.refuses(
                "but what was revoked stays so",
                by("lax", "revoked"),
                "TOKEN_REVOKED",
            );
            rows.passes("not stale yet", by("patient", "good"));
            rows.refuses("nor forgotten", by("patient", "revoked"), "TOKEN_REVOKED");
        }
    });
    thread::sleep(Duration::from_secs(4));

    // Polls never back off beyond the interval.
    list.add(json!({ "jti": "good", "exp": now() + 600 }));
    authority.resume();
    let elapsed = await_refusal(&gateway, &by("patient", "good"), "TOKEN_REVOKED");
    assert!(
        elapsed < INTERVAL * 2 + NOISE,
        "seen {elapsed:?} after the authority was back"
    );
    gateway.await_status(&by("strict", "other"), 200);
}

#[test]
fn a_long_list_comes_in_pages() {
    const PAGES: usize = 4;
    const ENTRIES: usize = 40_000;
    let key = Key::new("ES256", "k");
    let expiry = now() + 3600;
    let authority = Service::start(move |call| {
        let page: usize = since(call)
            .and_then(|cursor| cursor.parse().ok())
            .unwrap_or(0);
        let first = page * ENTRIES;
        let entries: Vec<Value> = if page < PAGES {
            (first..first + ENTRIES)
                .map(|number| json!({ "jti": format!("jti-{number}"), "exp": expiry }))
                .collect()
        } else {
            Vec::new()
        };
        Reply::json(
            &json!({ "cursor": (page + 1).min(PAGES).to_string(), "revoked": entries, "more": page + 1 < PAGES }),
        )
    });
    let gateway = start(
        listed(
            provider([&key]),
            "/revocations",
            json!({ "timeout": "10s" }),
        ),
        &authority,
    );
    let by = |jti: &str| get("/").bearer(key.token(json!({ "jti": jti })));
    gateway.await_status(&by("good"), 200);
    gateway.table(|rows| {
        for number in [
            0,
            1,
            ENTRIES - 1,
            ENTRIES,
            2 * ENTRIES + 7,
            PAGES * ENTRIES - 1,
        ] {
            for _ in 0..4 {
                rows.refuses(
                    &format!("entry {number}"),
                    by(&format!("jti-{number}")),
                    "TOKEN_REVOKED",
                );
            }
        }
        for number in PAGES * ENTRIES..PAGES * ENTRIES + 50 {
            rows.passes(&format!("no entry {number}"), by(&format!("jti-{number}")));
        }
    });
}

/// What a million entries take, and how soon they and what comes after them count everywhere.
#[test]
fn a_million_entries_count_everywhere_in_time() {
    const PAGES: usize = 20;
    const ENTRIES: usize = 50_000;
    const INTERVAL: Duration = Duration::from_secs(2);
    let key = Key::new("ES256", "k");
    let expiry = now() + 3600;
    let entries = |from: usize, to: usize| {
        let entries: Vec<String> = (from..to)
            .map(|number| format!(r#"{{"jti":"token-{number:07}","exp":{expiry}}}"#))
            .collect();
        entries.join(",")
    };
    let of_json = |text: String| Reply::with(200, "application/json", text);
    let pages: Vec<Reply> = (0..PAGES)
        .map(|page| {
            let revoked = entries(page * ENTRIES, (page + 1) * ENTRIES);
            let (reset, more) = (page == 0, page + 1 < PAGES);
            of_json(format!(
                r#"{{"reset":{reset},"cursor":"page-{page}","more":{more},"revoked":[{revoked}]}}"#
            ))
        })
        .collect();
    let end = PAGES * ENTRIES;
    let hundred = entries(end, end + 100);
    let hundred = of_json(format!(r#"{{"cursor":"new","revoked":[{hundred}]}}"#));

    let empty = move |cursor: &str| of_json(format!(r#"{{"cursor":"{cursor}","revoked":[]}}"#));
    let authority = Service::start(move |_| empty("empty"));
    let list = json!({ "timeout": "10s", "refresh_interval": "2s" });
    let gateway = start(listed(provider([&key]), "/revocations", list), &authority);
    let by =
        |number: usize| get("/").bearer(key.token(json!({ "jti": format!("token-{number:07}") })));
    let asked_since = |cursor: &str| {
        let calls = authority.calls();
        let asked = calls.iter().filter_map(since);
        asked.filter(|since| since == cursor).count()
    };
    for _ in 0..8 {
        gateway.timed(by(0)).assert_passed();
    }
    let before = gateway.memory();

    authority.script(move |call| {
        let since = since(call).unwrap_or_default();
        match since.strip_prefix("page-").map(str::parse::<usize>) {
            Some(Ok(page)) if page + 1 < PAGES => pages[page + 1].clone(),
            Some(Ok(_)) => empty(&since),
            _ => pages[0].clone(),
        }
    });
    let last_page = format!("page-{}", PAGES - 2);
    poll(PATIENCE, || (asked_since(&last_page) > 0).then_some(())).expect("the last page");
    let elapsed = await_refusal(&gateway, &by(0), "TOKEN_REVOKED");
    println!("a million entries count {elapsed:?} after the last page");
    assert!(elapsed < Duration::from_secs(1) + NOISE, "{elapsed:?}");
    gateway.table(|rows| {
        for number in (0..end).step_by(end / 40 - 1) {
            rows.refuses(&format!("entry {number}"), by(number), "TOKEN_REVOKED");
        }
        rows.refuses("the last entry", by(end - 1), "TOKEN_REVOKED");
        for number in end..end + 100 {
            rows.passes("not on the list", by(number));
        }
    });
    for page in 0..PAGES - 1 {
        let cursor = format!("page-{page}");
        assert_eq!(asked_since(&cursor), 1, "{cursor}: more than one polls");
    }

    // An update costs what it brings.
    let full = gateway.memory();
    authority.script(move |call| match since(call).as_deref() {
        Some("new") => empty("new"),
        _ => hundred.clone(),
    });
    let elapsed = await_refusal(&gateway, &by(end + 99), "TOKEN_REVOKED");
    println!("a hundred more count {elapsed:?} after they came onto the list");
    assert!(
        elapsed < INTERVAL + Duration::from_secs(1) + NOISE,
        "{elapsed:?}"
    );
    gateway.table(|rows| {
        for number in (0..end + 100).step_by(end / 40 - 1) {
            rows.refuses(&format!("entry {number}"), by(number), "TOKEN_REVOKED");
        }
    });
    assert_eq!(gateway.counter("wasm.portcullis.vm_reload_success"), 0);

    // Three copies, for the main thread has its own, and the one that all share.
    let after = gateway.memory();
    let (Some(before), Some(full), Some(after)) = (before, full, after) else {
        println!("no /proc: memory was not measured");
        return;
    };
    let mib = |memory: [u64; 2]| memory.map(|bytes| bytes >> 20);
    println!(
        "MiB now and at the most: {:?} without entries, {:?} with a million, {:?} after an update",
        mib(before),
        mib(full),
        mib(after)
    );
    let most = after[1] - before[0];
    assert!(most < 160 << 20, "{} MiB more than before", most >> 20);
}

#[test]
fn api_keys_have_a_list_of_their_own() {
    let [robot, other, third] = [fresh_api_key(), fresh_api_key(), fresh_api_key()];
    let list = List::of(&[json!({ "key_id": "other" })]);
    let authority = list.serve();
    let settings = json!({ "cluster": "authority", "uri": "http://authority/keys", "refresh_interval": "1s", "timeout": "1s", "max_staleness": "3s" });
    let keys = json!({ "keys": [api_key("robot", &sha256(&robot)), api_key("other", &sha256(&other)), api_key("third", &sha256(&third))], "revocation": { "list": settings } });
    let key = Key::new("ES256", "k");
    let gateway = Setup::of(
        json!({ "providers": { "corp": provider([&key]) }, "api_keys": keys, "rules": [{}] }),
    )
    .cluster("authority", authority.port())
    .start();
    let with = |secret: &str| get("/").header("x-api-key", secret);
    gateway.await_status(&with(&robot), 200);
    gateway.table(|rows| {
        rows.refuses("revoked", with(&other), "API_KEY_REVOKED");
        rows.passes("tokens have no list", get("/").bearer(key.token(json!({}))));
    });
    list.add(json!({ "key_id": "robot" }));
    let elapsed = await_refusal(&gateway, &with(&robot), "API_KEY_REVOKED");
    assert!(elapsed < INTERVAL * 2 + NOISE, "seen after {elapsed:?}");
    // An entry that belongs to a provider's list spoils the page: the list grows stale.
    list.add(json!({ "jti": "x", "exp": now() + 600 }));
    await_refusal(&gateway, &with(&third), "REVOCATION_UNAVAILABLE");
    gateway
        .timed(with(&other))
        .assert_refused("API_KEY_REVOKED");
    gateway.table(|rows| {
        rows.passes(
            "tokens go on",
            get("/").bearer(key.token(json!({ "iss": ISSUER }))),
        )
    });
}
