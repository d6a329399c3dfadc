//! After `kill -9` at any moment, every change that was answered with success is still there.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::answers::{ApiKeys, CreatedKey, Page, TokenResponse};
use crate::http::{Request, Response};
use crate::server::{Folder, OPAQUE, READER, Server, WRITER, eventually, tour_where};

const ROUNDS: usize = 12;
const WORKERS: usize = 4;

/// The changes that were answered with success.
#[derive(Default)]
struct Promised {
    active: Vec<String>,
    revoked: Vec<String>,
    api_keys: Vec<String>,
    revoked_keys: Vec<String>,
    cut_off: Vec<String>,
}

#[test]
fn nothing_that_was_promised_is_lost() {
    let folder = Folder::new();
    let database = folder.file("authority.db");
    // No token must expire during the test, even on a slow machine.
    let config = folder.write("authority.toml", &tour_where("token_lifetime = \"1h\""));
    let start = || Server::with(&config, &["--database", database.to_str().unwrap()]);
    let mut promised = Promised::default();
    for round in 0..ROUNDS {
        let server = start();
        promised.check(&server);
        let (public, admin) = (server.public.clone(), server.admin.clone());
        let writes = AtomicUsize::new(0);
        let work = |worker| work(&public, &admin, &format!("{round}-{worker}"), &writes);
        let kept: Vec<Promised> = thread::scope(|scope| {
            let work = &work;
            let workers: Vec<_> = (0..WORKERS)
                .map(|worker| scope.spawn(move || work(worker)))
                .collect();
            // Each round is killed at another point of its load.
            eventually("some writes", || writes.load(Ordering::Relaxed) > 2 + round);
            thread::sleep(Duration::from_millis((round as u64 * 7) % 20));
            server.kill();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap())
                .collect()
        });
        kept.into_iter().for_each(|kept| promised.add(kept));
    }
    promised.check(&start());
    assert!(promised.revoked.len() > ROUNDS && promised.active.len() > ROUNDS);
    assert!(promised.revoked_keys.len() > ROUNDS && promised.api_keys.len() > ROUNDS);
}

/// Writes until the server is killed.
fn work(public: &str, admin: &str, name: &str, writes: &AtomicUsize) -> Promised {
    let mut promised = Promised::default();
    for count in 0.. {
        if work_once(public, admin, &format!("{name}-{count}"), &mut promised).is_none() {
            break;
        }
        writes.fetch_add(1, Ordering::Relaxed);
    }
    promised
}

/// `None`: no complete answer, so the change may or may not have been made.
fn work_once(public: &str, admin: &str, name: &str, promised: &mut Promised) -> Option<()> {
    let send = |to: &str, request: Request, status: u16| -> Option<Response> {
        request
            .try_send(to)
            .ok()
            .map(|response| response.expect(status))
    };
    let post = |path: &str, (id, secret): (&str, &str), form: &str| {
        send(
            public,
            Request::new("POST", path).basic(id, secret).form(form),
            200,
        )
    };
    for client in [OPAQUE, READER, WRITER] {
        let answer = post("/token", client, "grant_type=client_credentials")?;
        let token = answer.json_as::<TokenResponse>().access_token;
        if client == WRITER {
            promised.active.push(token);
        } else {
            post("/revoke", client, &format!("token={token}"))?;
            promised.revoked.push(token);
        }
    }
    let entry = format!(r#"{{"sub":"{name}","before":7}}"#);
    send(admin, Request::new("POST", "/revocations").json(entry), 200)?;
    promised.cut_off.push(name.to_owned());

    let mint = || Request::new("POST", "/api-keys").json(format!(r#"{{"client":"{name}"}}"#));
    let mint = || Some(send(admin, mint(), 201)?.json_as::<CreatedKey>().id);
    promised.api_keys.push(mint()?);
    let id = mint()?;
    let revoke = format!("/api-keys/{id}/revoke");
    send(admin, Request::new("POST", &revoke), 204)?;
    promised.revoked_keys.push(id);
    Some(())
}

// === impl Promised ===

impl Promised {
    fn add(&mut self, other: Self) {
        let Self {
            active,
            revoked,
            api_keys,
            revoked_keys,
            cut_off,
        } = other;
        self.active.extend(active);
        self.revoked.extend(revoked);
        self.api_keys.extend(api_keys);
        self.revoked_keys.extend(revoked_keys);
        self.cut_off.extend(cut_off);
    }

    fn check(&self, server: &Server) {
        let list: Page = server.poll("/revocations").expect(200).json_as();
        let list = list.revoked;
        let is_listed = |name: &str, value: &Value| list.iter().any(|entry| entry[name] == *value);
        for token in &self.active {
            let answer = server.introspect(token);
            assert_eq!(answer["active"], true);
            assert!(!is_listed("jti", &answer["jti"]));
        }
        for token in &self.revoked {
            assert!(!server.is_active(token));
        }
        // A JWT has its jti in its claims, and its signing key is still published.
        for token in self.revoked.iter().filter(|token| token.contains('.')) {
            assert!(is_listed("jti", &server.verify(token).unwrap().1["jti"]));
        }
        for name in &self.cut_off {
            assert!(is_listed("sub", &Value::from(name.as_str())));
        }

        let list: ApiKeys = server.poll("/api-keys").expect(200).json_as();
        let is_revoked = |id: &String| list.keys.iter().find(|key| key.id == *id).unwrap().revoked;
        assert!(!self.api_keys.iter().any(is_revoked));
        assert!(self.revoked_keys.iter().all(is_revoked));
        let list: Page = server.poll("/api-keys/revocations").expect(200).json_as();
        let is_listed = |id: &String| list.revoked.contains(&json!({ "key_id": id }));
        assert!(self.revoked_keys.iter().all(is_listed));
    }
}
