//! Status lists: whose they are, and for how long they are believed.

use std::io::Write as _;
use std::rc::Rc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use portcullis_core::verification::callout::{Callout, Fetch, Reply};
use serde_json::{Value, json};

use super::harness::keys::{Key, amended, encode, jwks};
use super::harness::policy::{ISSUER, remote_provider};
use super::harness::{Answer, Filter, NOW, PASSES, Stage, fetched, get};

const URI: &str = "http://authority/status/1";
const UNAVAILABLE: &str = "REVOCATION_UNAVAILABLE";

/// Two providers whose tokens refer to lists in the same place.
fn filter() -> Filter {
    let listed = |issuer: &str, path: &str| {
        let lists = json!({ "cluster": "authority", "uri_prefix": "http://authority/status/" });
        amended(
            remote_provider(issuer, path),
            json!({ "revocation": { "status_list": lists } }),
        )
    };
    Filter::new(json!({
        "providers": { "corp": listed(ISSUER, "/corp.json"), "other": listed("other", "/other.json") },
        "rules": [{}],
    }))
}

/// A list of eight statuses of one bit.
fn list(key: &Key, statuses: u8) -> String {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(&[statuses]).unwrap();
    let lst = encode(zlib.finish().unwrap());
    let claims =
        json!({ "sub": URI, "iat": NOW, "ttl": 3600, "status_list": { "bits": 1, "lst": lst } });
    let header = json!({ "alg": key.alg, "kid": key.kid, "typ": "statuslist+jwt" });
    key.seal(header.to_string(), claims.to_string())
}

/// The answer to a token at that place of the list; how often somebody had to be asked for the list, which is `list`.
fn ask(filter: &mut Filter, key: &Key, claims: Value, list: &str) -> (Answer, usize) {
    let status = json!({ "status_list": { "uri": URI, "idx": 0 } });
    let token = key.token(amended(json!({ "status": status }), claims));
    let ask = get("/").bearer(token);
    let (mut stage, mut asked) = (filter.begin(&ask), 0);
    for _ in 0..4 {
        let (waiting, reply) = match stage {
            Stage::Answered(answer) => return (answer, asked),
            Stage::Waits(waiting, Callout::Ask(question, _)) => {
                asked += 1;
                let policy = Rc::clone(&filter.policy);
                let now = filter.now;
                let body = Ok(list.as_bytes());
                (waiting, filter.state.learn(&policy, &question, body, now))
            }
            // The keys' source is down: what is held has to do.
            Stage::Waits(waiting, Callout::Source(_)) => {
                let retry_after = Duration::from_secs(1);
                let failed: Reply = fetched(Fetch::Failed { retry_after });
                (waiting, failed)
            }
            Stage::Waits(_, callout) => panic!("waits for {callout:?}"),
        };
        stage = filter.resume(waiting, &ask, reply);
    }
    panic!("it asks without end")
}

/// A provider withdraws a key because somebody else has it, who can then have signed lists, too.
#[test]
fn a_list_is_believed_no_longer_than_its_key() {
    let [tokens, lists, next] = ["tokens", "lists", "next"].map(|kid| Key::new("ES256", kid));
    let mut filter = filter();
    filter.adopt(0, &jwks([&tokens, &lists]));
    let good = list(&lists, 0);
    let (answer, asked) = ask(&mut filter, &tokens, json!({}), &good);
    assert_eq!((answer.code(), asked), (PASSES, 1));
    let (answer, asked) = ask(&mut filter, &tokens, json!({ "jti": "2" }), &good);
    assert_eq!((answer.code(), asked), (PASSES, 0));

    filter.adopt(0, &jwks([&tokens, &next]));
    for _ in ["at first", "then"] {
        let (answer, asked) = ask(&mut filter, &tokens, json!({}), &good);
        assert_eq!((answer.code(), asked), (UNAVAILABLE, 1));
    }
    // Another key under the old name is another key.
    let impostor = amended(next.jwk(), json!({ "kid": "lists" }));
    filter.adopt(0, &json!({ "keys": [tokens.jwk(), impostor] }));
    let (answer, _) = ask(&mut filter, &tokens, json!({}), &good);
    assert_eq!(answer.code(), UNAVAILABLE);

    // What a key that is published signs counts again.
    filter.adopt(0, &jwks([&tokens, &next]));
    let (answer, _) = ask(&mut filter, &tokens, json!({}), &list(&next, 1));
    assert_eq!(answer.code(), "TOKEN_REVOKED");
    let (answer, asked) = ask(&mut filter, &tokens, json!({}), &good);
    assert_eq!((answer.code(), asked), ("TOKEN_REVOKED", 0));
}

/// What one provider signs says nothing about the tokens of another, though it has the same address.
#[test]
fn a_list_is_its_providers() {
    let [ours, theirs] = ["ours", "theirs"].map(|kid| Key::new("ES256", kid));
    let mut filter = filter();
    filter.adopt(0, &jwks([&ours]));
    filter.adopt(1, &jwks([&theirs]));
    let other = json!({ "iss": "other" });
    let (answer, asked) = ask(&mut filter, &ours, json!({}), &list(&ours, 0));
    assert_eq!((answer.code(), asked), (PASSES, 1));
    for signer in [&ours, &theirs] {
        let expected = match signer.kid == theirs.kid {
            true => "TOKEN_REVOKED",
            false => UNAVAILABLE,
        };
        let (answer, asked) = ask(&mut filter, &theirs, other.clone(), &list(signer, 1));
        assert_eq!((answer.code(), asked), (expected, 1));
    }
    // Each holds its own now.
    let (answer, asked) = ask(&mut filter, &ours, json!({}), "");
    assert_eq!((answer.code(), asked), (PASSES, 0));
    let (answer, asked) = ask(&mut filter, &theirs, other, "");
    assert_eq!((answer.code(), asked), ("TOKEN_REVOKED", 0));
}
