//! What only a ledger in Redis does.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::command_line::run;
use crate::ledger::{Account, Granted, KEY, at_once, away, id, send};
use crate::redis::{DURABLE, Redis};
use crate::server::{Folder, READER, Server, TOUR, eventually, now};

#[test]
fn redis_away_is_a_503_until_it_is_back() {
    let mut redis = Redis::start();
    let server = serve(&redis);
    let account = Account::new();
    account.ask(&server, 100, 10);
    redis.kill();
    for _ in 0..3 {
        away(&send(&server, &account.asking(&id(), 100, 10)));
    }
    server.get("/ready").expect(503);
    let health = server.get("/health").expect(200);
    assert_eq!(health.json(), json!({"status": "ok", "cache": null}));
    // All else works.
    server.token(READER);
    redis.restart();
    eventually("the ledger is back", || server.get("/ready").status == 200);
    assert_eq!(
        account.ask(&server, 100, 10),
        Granted {
            granted: 10,
            remaining: 80
        }
    );
}

#[test]
fn a_restart_of_redis_is_not_noticed() {
    let mut redis = Redis::start();
    let server = serve(&redis);
    let account = Account::new();
    let first = id();
    let answer = account.ask_as(&server, &first, 100, 10);
    for _ in 0..3 {
        redis.kill();
        redis.restart();
        assert_eq!(account.ask_as(&server, &first, 100, 10), answer);
    }
}

#[test]
fn a_redis_that_hangs_is_a_503_soon() {
    let redis = Redis::start();
    let server = serve(&redis);
    let account = Account::new();
    account.ask(&server, 100, 10);
    redis.freeze();
    let (begin, id) = (Instant::now(), id());
    let answers = at_once(20, |_| send(&server, &account.asking(&id, 100, 10)));
    answers.iter().for_each(away);
    assert!(
        begin.elapsed() < Duration::from_secs(10),
        "{:?}",
        begin.elapsed()
    );
    redis.thaw();
    eventually("the ledger is back", || server.get("/ready").status == 200);
    // Whether it was granted while nobody knew does not matter.
    let granted = account.ask_as(&server, &id, 100, 10);
    assert_eq!(
        granted,
        Granted {
            granted: 10,
            remaining: 80
        }
    );
}

#[test]
fn an_authority_starts_before_its_redis() {
    let mut redis = Redis::start();
    redis.kill();
    let server = serve(&redis);
    away(&send(&server, &Account::new().asking(&id(), 100, 10)));
    redis.restart();
    eventually("the ledger is there", || server.get("/ready").status == 200);
    Account::new().ask(&server, 100, 10);
    let (_, stderr) = server.terminate();
    assert!(stderr.contains("authority: cache: "), "{stderr}");
}

#[test]
fn redis_forgets_an_account_an_hour_after_its_window() {
    let redis = Redis::start();
    let server = serve(&redis);
    let account = Account {
        window: now() - now() % 600,
        length: 600,
        ..Account::new()
    };
    let time = || -> i64 {
        let keys = redis.keys();
        assert_eq!(
            keys,
            [format!(
                "authority:ledger:daily:{}:600:{KEY}",
                account.window
            )]
        );
        let command = ::redis::cmd("EXPIRETIME")
            .arg(&keys[0])
            .query(&mut redis.connect());
        command.unwrap()
    };
    account.ask(&server, 100, 10);
    assert_eq!(time(), account.window + 600 + 3600);
    account.ask(&server, 100, 0);
    account.give_back(&server, &id(), 5);
    assert_eq!(time(), account.window + 600 + 3600);
    // A return of what nobody holds is remembered too, and as long.
    ::redis::cmd("FLUSHALL").exec(&mut redis.connect()).unwrap();
    account.give_back(&server, &id(), 5);
    assert_eq!(time(), account.window + 600 + 3600);
}

#[test]
fn a_full_redis_grants_nothing() {
    let redis = Redis::start();
    let server = serve(&redis);
    let account = Account::new();
    let first = id();
    let answer = account.ask_as(&server, &first, 100, 10);
    let set = |name: &str, value: &str| {
        let mut command = ::redis::cmd("CONFIG");
        command.arg("SET").arg(name).arg(value);
        command.exec(&mut redis.connect()).unwrap();
    };
    set("maxmemory", "1");
    away(&send(&server, &account.asking(&id(), 100, 10)));
    set("maxmemory", "0");
    assert_eq!(account.ask_as(&server, &first, 100, 10), answer);
    assert_eq!(
        account.ask(&server, 100, 10),
        Granted {
            granted: 10,
            remaining: 80
        }
    );
}

#[test]
fn settings_that_lose_grants_are_said() {
    const WARNINGS: [&str; 3] = [
        "appendonly yes: ",
        "appendfsync always: ",
        "maxmemory-policy noeviction: ",
    ];
    for (args, settings) in [
        (&DURABLE[..], [true, true, true]),
        (&["--appendonly", "yes"], [true, false, true]),
        (&["--appendfsync", "always"], [false, true, true]),
        (
            &["--maxmemory-policy", "allkeys-lru"],
            [false, false, false],
        ),
    ] {
        let redis = Redis::with(args);
        let server = serve(&redis);
        let health = server.get("/health").expect(200).json();
        let [appendonly, always, noeviction] = settings;
        let expected = json!({
            "appendonly": appendonly,
            "appendfsync_always": always,
            "noeviction": noeviction,
        });
        assert_eq!(health, json!({"status": "ok", "cache": expected}));
        server.get("/ready").expect(200);
        Account::new().ask(&server, 100, 10);
        let (_, stderr) = server.terminate();
        for (warning, is_so) in WARNINGS.iter().zip(settings) {
            let said = stderr
                .matches(&format!("Redis is not set to {warning}"))
                .count();
            assert_eq!(said, usize::from(!is_so), "{args:?}: {stderr}");
        }
    }
}

#[test]
fn a_password_is_sent_and_never_told() {
    const PASSWORD: &str = "s3cret-of-redis";
    let redis = Redis::with(&[&DURABLE[..], &["--requirepass", PASSWORD]].concat());
    let with = |credentials: &str| {
        let url = redis
            .url()
            .replace("redis://", &format!("redis://{credentials}"));
        Server::with(TOUR, &["--cache", &url])
    };
    let server = with(&format!(":{PASSWORD}@"));
    Account::new().ask(&server, 100, 10);
    let (_, stderr) = server.terminate();
    assert!(!stderr.contains(PASSWORD), "{stderr}");
    for wrong in ["", ":wr0ng@", "nobody:s3cret-of-redis@"] {
        let server = with(wrong);
        let answer = send(&server, &Account::new().asking(&id(), 100, 10));
        away(&answer);
        server.get("/ready").expect(503);
        let (_, stderr) = server.terminate();
        assert!(stderr.contains("authority: cache: "), "{stderr}");
        for secret in [PASSWORD, "wr0ng"] {
            assert!(
                !stderr.contains(secret) && !answer.body.contains(secret),
                "{stderr}"
            );
        }
    }
}

/// Hosted ones often forbid `CONFIG`: then nobody knows, which is said, and all else works.
#[test]
fn a_redis_that_tells_no_settings_is_used() {
    let redis = Redis::start();
    let mut command = ::redis::cmd("ACL");
    let user = [
        "authority",
        "on",
        ">s3cret",
        "~authority:*",
        "+@all",
        "-config",
    ];
    command.arg("SETUSER").arg(&user);
    command.exec(&mut redis.connect()).unwrap();
    let url = redis.url().replace("redis://", "redis://authority:s3cret@");
    let folder = Folder::new();
    let tour = std::fs::read_to_string(TOUR).unwrap();
    let config = folder.write("authority.toml", &format!("cache = \"{url}\"\n{tour}"));
    let server = Server::with(config, &[]);
    Account::new().ask(&server, 100, 10);
    let health = server.get("/health").expect(200).json();
    let unknown = json!({"appendonly": null, "appendfsync_always": null, "noeviction": null});
    assert_eq!(health["cache"], unknown);
    let (_, stderr) = server.terminate();
    assert_eq!(
        stderr.matches("Redis does not say whether").count(),
        3,
        "{stderr}"
    );
}

#[test]
fn the_url_of_the_cache_is_checked() {
    for wrong in [
        "",
        "redis",
        "redis://",
        "127.0.0.1:6379",
        "rediss://s3cret@127.0.0.1",
        "redis://:s3cret@127.0.0.1/x",
    ] {
        let args = [
            "serve",
            "--config",
            TOUR,
            "--cache",
            wrong,
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
        ];
        let output = run(&args, "");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{wrong}");
        assert!(
            stderr.contains("  cache: expected redis://"),
            "{wrong}: {stderr}"
        );
        assert!(!stderr.contains("s3cret"), "{stderr}");
    }
}

fn serve(redis: &Redis) -> Server {
    Server::with(TOUR, &["--cache", &redis.url()])
}
