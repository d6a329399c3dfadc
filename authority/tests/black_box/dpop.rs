//! RFC 9449 at the token endpoint. For each check of §4.3 there is a test.

use std::os::unix::fs::PermissionsExt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::answers::TokenResponse;
use crate::command_line::run;
use crate::http::{Request, Response};
use crate::proof::{Key, Proof, base64url};
use crate::server::{Folder, OPAQUE, READER, Server, WRITER, now};

const GRANT: &str = "grant_type=client_credentials";

/// A token request with a `DPoP` header for each of these proofs.
fn ask(server: &Server, (id, secret): (&str, &str), proofs: &[&str]) -> Response {
    let request = Request::new("POST", "/token").basic(id, secret).form(GRANT);
    let request = proofs
        .iter()
        .fold(request, |request, proof| request.header("dpop", proof));
    server.send(request)
}

#[track_caller]
fn refused(server: &Server, proofs: &[&str], why: &str) {
    let answer = ask(server, READER, proofs);
    assert_eq!(answer.status, 400, "{why}: {}", answer.body);
    assert_eq!(answer.json()["error"], "invalid_dpop_proof", "{why}");
    assert!(answer.json()["error_description"].is_string(), "{why}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

/// What is wrong, and how a sound proof becomes so.
type Change<'a> = (&'a str, fn(&mut Proof));

/// Refuses each proof that a change makes of a sound one; takes the sound one itself.
#[track_caller]
fn refuses(changes: &[Change<'_>]) {
    let server = Server::start();
    let key = Key::es256();
    for (why, change) in changes {
        let mut proof = key.proof();
        change(&mut proof);
        refused(&server, &[&proof.sign(&key)], why);
    }
    ask(&server, READER, &[&key.proof().sign(&key)]).expect(200);
}

fn remove(object: &mut Value, name: &str) {
    object.as_object_mut().unwrap().remove(name).unwrap();
}

#[test]
fn a_token_is_bound_to_the_key_of_the_proof() {
    let server = Server::start();
    for (client, key) in [
        (READER, Key::es256()),
        (WRITER, Key::eddsa()),
        (OPAQUE, Key::es256()),
        (OPAQUE, Key::eddsa()),
    ] {
        let answer = ask(&server, client, &[&key.proof().sign(&key)]).expect(200);
        let answer: TokenResponse = answer.json_as();
        assert_eq!(answer.token_type, "DPoP");
        let confirmation = json!({"jkt": key.thumbprint()});
        if client != OPAQUE {
            let (_, claims) = server.verify(&answer.access_token).unwrap();
            assert_eq!(claims["cnf"], confirmation);
        }
        // §6.2
        let described = server.introspect(&answer.access_token);
        assert_eq!(described["cnf"], confirmation);
        assert_eq!(described["token_type"], "DPoP");
    }
}

#[test]
fn without_a_proof_a_token_is_bound_to_nothing() {
    let server = Server::start();
    for client in [READER, OPAQUE] {
        let answer: TokenResponse = ask(&server, client, &[]).expect(200).json_as();
        assert_eq!(answer.token_type, "Bearer");
        let described = server.introspect(&answer.access_token);
        assert_eq!(described.get("cnf"), None);
        assert_eq!(described["token_type"], "Bearer");
    }
}

#[test]
fn a_binding_outlives_the_process() {
    let (folder, key) = (Folder::new(), Key::es256());
    let database = folder.file("authority.db");
    let server = Server::on_database(&database);
    let answer = ask(&server, OPAQUE, &[&key.proof().sign(&key)]).expect(200);
    let answer: TokenResponse = answer.json_as();
    server.kill();
    let server = Server::on_database(&database);
    let described = server.introspect(&answer.access_token);
    assert_eq!(described["cnf"]["jkt"], key.thumbprint());
}

#[test]
fn there_is_one_proof() {
    let (server, key) = (Server::start(), Key::es256());
    let (one, other) = (key.proof().sign(&key), key.proof().sign(&key));
    refused(&server, &[&one, &other], "two");
    refused(&server, &[&one, &one], "twice the same");
    refused(&server, &[&format!("{one}, {other}")], "a list");
    refused(&server, &[&one, ""], "an empty one");
    refused(&server, &[""], "an empty one alone");
}

#[test]
fn a_proof_is_a_jwt() {
    let (server, key) = (Server::start(), Key::es256());
    let proof = key.proof().sign(&key);
    let head = proof.split_once('.').unwrap().0;
    for wrong in [
        "x",
        "..",
        "a.b.c",
        &format!("{proof}."),
        &format!("{proof}=="),
        &format!("DPoP {proof}"),
        &format!("{head}.."),
        &format!("{}.e30.AA", base64url("[]")),
        &format!("{}.e30.AA", base64url("{")),
        &format!("{}.e30.AA", base64url("[".repeat(5000))),
    ] {
        refused(&server, &[wrong], wrong);
    }
    ask(&server, READER, &[&proof]).expect(200);
}

#[test]
fn a_proof_says_that_it_is_one() {
    refuses(&[
        ("none", |proof| remove(&mut proof.header, "typ")),
        ("JWT", |proof| proof.header["typ"] = json!("JWT")),
        ("at+jwt", |proof| proof.header["typ"] = json!("at+jwt")),
        ("upper case", |proof| {
            proof.header["typ"] = json!("DPOP+JWT")
        }),
        ("no string", |proof| proof.header["typ"] = json!(7)),
    ]);
}

#[test]
fn the_algorithm_is_one_of_those_that_the_metadata_name() {
    let metadata = Server::start().get("/.well-known/oauth-authorization-server");
    let algorithms = &metadata.json()["dpop_signing_alg_values_supported"];
    assert_eq!(*algorithms, json!(["ES256", "EdDSA"]));
    refuses(&[
        ("missing", |proof| remove(&mut proof.header, "alg")),
        ("none", |proof| proof.header["alg"] = json!("none")),
        ("symmetric", |proof| proof.header["alg"] = json!("HS256")),
        ("RSA", |proof| proof.header["alg"] = json!("RS256")),
        ("of another curve", |proof| {
            proof.header["alg"] = json!("ES384")
        }),
        ("of another key", |proof| {
            proof.header["alg"] = json!("EdDSA")
        }),
        ("lower case", |proof| proof.header["alg"] = json!("es256")),
    ]);
}

#[test]
fn the_key_is_a_public_key_for_the_algorithm() {
    refuses(&[
        ("missing", |proof| remove(&mut proof.header, "jwk")),
        ("no object", |proof| proof.header["jwk"] = json!("key")),
        ("without kty", |proof| {
            remove(&mut proof.header["jwk"], "kty")
        }),
        ("without y", |proof| remove(&mut proof.header["jwk"], "y")),
        ("of another type", |proof| {
            proof.header["jwk"] = Key::eddsa().jwk()
        }),
        ("RSA", |proof| {
            proof.header["jwk"] = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"});
        }),
        ("symmetric", |proof| {
            proof.header["jwk"] = json!({"kty": "oct", "k": "c2VjcmV0"});
        }),
        ("on another curve", |proof| {
            proof.header["jwk"]["crv"] = json!("P-384")
        }),
        ("on no curve", |proof| {
            proof.header["jwk"]["x"] = json!("AAAA")
        }),
        ("escaped", |proof| {
            proof.header["jwk"]["x"] = json!("\",\"a\":\"")
        }),
    ]);
}

#[test]
fn a_private_key_is_refused() {
    refuses(&[
        ("d", |proof| proof.header["jwk"]["d"] = json!("AAAA")),
        ("d of null", |proof| proof.header["jwk"]["d"] = Value::Null),
        ("p", |proof| proof.header["jwk"]["p"] = json!("AAAA")),
        ("q", |proof| proof.header["jwk"]["q"] = json!("AAAA")),
        ("dp", |proof| proof.header["jwk"]["dp"] = json!("AAAA")),
        ("dq", |proof| proof.header["jwk"]["dq"] = json!("AAAA")),
        ("qi", |proof| proof.header["jwk"]["qi"] = json!("AAAA")),
        ("oth", |proof| proof.header["jwk"]["oth"] = json!([])),
        ("k", |proof| proof.header["jwk"]["k"] = json!("AAAA")),
    ]);
}

/// RFC 7515 §4.1.11
#[test]
fn a_critical_extension_is_refused() {
    refuses(&[
        ("b64", |proof| proof.header["crit"] = json!(["b64"])),
        ("nothing", |proof| proof.header["crit"] = json!([])),
    ]);
}

#[test]
fn the_signature_is_that_of_the_key() {
    let server = Server::start();
    for (key, other) in [(Key::es256(), Key::es256()), (Key::eddsa(), Key::eddsa())] {
        refused(&server, &[&key.proof().sign(&other)], "of another key");
        let proof = key.proof().sign(&key);
        let (message, signature) = proof.rsplit_once('.').unwrap();
        refused(&server, &[&format!("{message}.")], "none");
        let cut = &proof[..proof.len() - 4];
        refused(&server, &[cut], "cut");
        let mut later = key.proof();
        later.claims["iat"] = json!(now() + 1);
        let (message, _) = later.sign(&key).rsplit_once('.').map(owned).unwrap();
        refused(&server, &[&format!("{message}.{signature}")], "of another");
        ask(&server, READER, &[&proof]).expect(200);
    }
}

fn owned((one, other): (&str, &str)) -> (String, String) {
    (one.to_owned(), other.to_owned())
}

#[test]
fn a_proof_is_for_the_method() {
    refuses(&[
        ("missing", |proof| remove(&mut proof.claims, "htm")),
        ("another", |proof| proof.claims["htm"] = json!("GET")),
        ("lower case", |proof| proof.claims["htm"] = json!("post")),
        ("no string", |proof| proof.claims["htm"] = json!(["POST"])),
    ]);
}

/// The URL by the issuer: the server may stand behind a proxy, and the `Host` of a request is the client's word.
#[test]
fn a_proof_is_for_the_token_endpoint() {
    refuses(&[
        ("missing", |proof| remove(&mut proof.claims, "htu")),
        ("no string", |proof| proof.claims["htu"] = json!(7)),
        ("a path", |proof| proof.claims["htu"] = json!("/token")),
        ("another endpoint", |proof| {
            proof.claims["htu"] = json!("http://authority/introspect");
        }),
        ("another host", |proof| {
            proof.claims["htu"] = json!("http://localhost/token");
        }),
        ("another scheme", |proof| {
            proof.claims["htu"] = json!("https://authority/token");
        }),
        ("another port", |proof| {
            proof.claims["htu"] = json!("http://authority:9000/token");
        }),
    ]);
    let (server, key) = (Server::start(), Key::es256());
    for htu in ["HTTP://Authority:80/token", "http://authority/token?x#y"] {
        let mut proof = key.proof();
        proof.claims["htu"] = json!(htu);
        ask(&server, READER, &[&proof.sign(&key)]).expect(200);
    }
}

#[test]
fn a_proof_is_fresh() {
    refuses(&[
        ("missing", |proof| remove(&mut proof.claims, "iat")),
        ("no number", |proof| {
            proof.claims["iat"] = json!(now().to_string())
        }),
        ("old", |proof| proof.claims["iat"] = json!(now() - 65)),
        ("of the future", |proof| {
            proof.claims["iat"] = json!(now() + 65)
        }),
        ("in milliseconds", |proof| {
            proof.claims["iat"] = json!(now() * 1000)
        }),
        ("huge", |proof| proof.claims["iat"] = json!(1e300)),
        ("hugely negative", |proof| {
            proof.claims["iat"] = json!(-1e300)
        }),
    ]);
    let (server, key) = (Server::start(), Key::es256());
    for iat in [
        json!(now() - 50),
        json!(now() + 50),
        json!(now() as f64 + 0.5),
    ] {
        let mut proof = key.proof();
        proof.claims["iat"] = iat;
        ask(&server, READER, &[&proof.sign(&key)]).expect(200);
    }
}

#[test]
fn a_proof_has_an_identifier() {
    refuses(&[
        ("missing", |proof| remove(&mut proof.claims, "jti")),
        ("empty", |proof| proof.claims["jti"] = json!("")),
        ("no string", |proof| proof.claims["jti"] = json!(7)),
        ("null", |proof| proof.claims["jti"] = Value::Null),
    ]);
}

#[test]
fn a_proof_is_good_for_one_token() {
    let folder = Folder::new();
    let database = folder.file("authority.db");
    let server = Server::on_database(&database);
    let (key, other) = (Key::es256(), Key::es256());
    let proof = key.proof();
    ask(&server, READER, &[&proof.sign(&key)]).expect(200);
    refused(&server, &[&proof.sign(&key)], "signed again");
    let mut later = key.proof();
    later.claims["jti"] = proof.claims["jti"].clone();
    later.claims["iat"] = json!(now() + 5);
    refused(
        &server,
        &[&later.sign(&key)],
        "the same jti in another proof",
    );
    // Whoever learns a jti cannot use it up for the owner of another key.
    let mut others = other.proof();
    others.claims["jti"] = proof.claims["jti"].clone();
    ask(&server, READER, &[&others.sign(&other)]).expect(200);

    server.kill();
    let server = Server::on_database(&database);
    refused(&server, &[&proof.sign(&key)], "after a restart");
    ask(&server, READER, &[&key.proof().sign(&key)]).expect(200);
}

/// What the RFC leaves open, or asks only of resource servers, changes nothing.
#[test]
fn other_members_are_ignored() {
    let (server, key) = (Server::start(), Key::es256());
    let mut proof = key.proof();
    proof.header["kid"] = json!("mine");
    proof.header["jwk"]["use"] = json!("sig");
    proof.header["jwk"]["kid"] = json!("mine");
    for name in ["ath", "nonce", "aud", "sub"] {
        proof.claims[name] = json!("x");
    }
    for name in ["exp", "nbf"] {
        proof.claims[name] = json!(0);
    }
    let answer = ask(&server, READER, &[&proof.sign(&key)]).expect(200);
    let answer: TokenResponse = answer.json_as();
    let (_, claims) = server.verify(&answer.access_token).unwrap();
    assert_eq!(claims["cnf"], json!({"jkt": key.thumbprint()}));
}

/// Signatures are verified, and proofs remembered, for clients only.
#[test]
fn the_client_is_authenticated_first() {
    let (server, key) = (Server::start(), Key::es256());
    let proof = key.proof().sign(&key);
    for proof in [proof.as_str(), "x"] {
        let answer = ask(&server, (READER.0, "wrong"), &[proof]).expect(401);
        assert_eq!(answer.json()["error"], "invalid_client");
    }
    ask(&server, READER, &[&proof]).expect(200);
}

#[test]
fn no_proof_is_logged() {
    let (server, key) = (Server::start(), Key::es256());
    let proof = key.proof().sign(&key);
    ask(&server, READER, &[&proof]).expect(200);
    refused(&server, &[&proof], "used");
    refused(&server, &[&proof[1..]], "cut");
    let (_, stderr) = server.terminate();
    assert!(!stderr.contains(&proof[1..40]), "{stderr}");
}

/// To try it by hand.
#[test]
fn the_command_line_makes_proofs() {
    let server = Server::start();
    let folder = Folder::new();
    let key = folder.file("client.key");
    let prove = |method: &str, url: &str, token: Option<&str>| {
        let mut args = vec!["proof", method, url, "--key", key.to_str().unwrap()];
        args.extend(token.map(|_| "--token"));
        let output = run(&args, token.unwrap_or_default());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let bound = || {
        let proof = prove("POST", "http://authority/token", None);
        let answer: TokenResponse = ask(&server, READER, &[&proof]).expect(200).json_as();
        assert_eq!(answer.token_type, "DPoP");
        answer.access_token
    };
    // One key, and proofs that count once each.
    let (first, second) = (bound(), bound());
    let claims = |token: &str| server.verify(token).unwrap().1;
    assert_eq!(claims(&first)["cnf"], claims(&second)["cnf"]);
    let mode = std::fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let proof = prove("GET", "https://api.example.com/data", Some(&first));
    let claims = proof.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["htm"], "GET");
    assert_eq!(claims["htu"], "https://api.example.com/data");
    assert_eq!(claims["ath"], base64url(digest(&SHA256, first.as_bytes())));

    folder.write("no.key", "no key");
    let other = folder.file("no.key");
    let args = [
        "proof",
        "GET",
        "https://a/",
        "--key",
        other.to_str().unwrap(),
    ];
    let output = run(&args, "");
    assert!(!output.status.success());
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("no ES256 key")
    );
}
