//! The realm of a challenge.

use serde_json::json;

use crate::harness::client::{Answer, get};
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::keys::{Key, amended};
use crate::harness::policy::{only, provider};
use crate::harness::refusal::{self, expect};

#[test]
fn the_realm_may_be_chosen() {
    let policy = amended(
        only(provider([&Key::new("ES256", "k")])),
        json!({ "realm": "my \"own\" realm" }),
    );
    let realm = |answer: &Answer| {
        let (_, parameters) =
            refusal::parse(&answer.header("www-authenticate").unwrap_or_default())?;
        parameters
            .into_iter()
            .find(|(name, _)| name == "realm")
            .map(|(_, value)| value)
    };
    Gateway::start(only(provider([&Key::new("ES256", "k")]))).table(|rows| {
        rows.row("default", get("/"), |answer| {
            expect("realm", &realm(answer).as_deref(), &Some("portcullis"))
        });
    });
    let refused = Setup::of(policy).try_start().err();
    let log = refused.expect("a realm with quotes is a load error").log;
    assert!(log.contains("realm: "), "{log}");
    Gateway::start(amended(
        only(provider([&Key::new("ES256", "k")])),
        json!({ "realm": "example" }),
    ))
    .table(|rows| {
        rows.row("chosen", get("/"), |answer| {
            expect("realm", &realm(answer).as_deref(), &Some("example"))
        });
    });
}
