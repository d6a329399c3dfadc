//! Budgets of tokens and requests: what answers cost, and that nothing is lost among many at once.

mod endings;
mod lost;
mod stage;

use serde_json::json;

use self::stage::{LIMIT, NOTHING, Stage, body};
use crate::harness::client::Answer;
use crate::harness::keys::amended;
use crate::harness::{PATIENCE, poll};

/// What is spent at the end is what the provider claimed, to the token, though workers and callers are mixed.
#[test]
fn hundreds_of_streams_on_two_workers_are_counted_exactly() {
    let stage = Stage::open(2);
    let (mut requests, mut expected) = (Vec::new(), [0; 3]);
    for n in 0..300_u64 {
        let (caller, output) = (n % 3, n % 40);
        let path = ["/v1/chat/completions", "/v1/messages"][usize::from(n % 2 == 0)];
        let request = stage.request(&format!("many-{caller}"), path, &body(n % 5 != 0));
        let request = request
            .header("x-model-output-tokens", output.to_string())
            .header("x-model-input-tokens", (n * 3).to_string())
            .header("x-model-chunk-delay-ms", (n % 4).to_string());
        requests.push(request);
        expected[usize::try_from(caller).unwrap()] += n * 3 + output;
    }
    let outcomes = stage.gateway.send_all(requests);
    let statuses: Vec<u16> = outcomes
        .iter()
        .map(|outcome| outcome.answer.status)
        .collect();
    assert_eq!(statuses, [200; 300]);
    assert_eq!(
        stage.upstream.claimed().total(),
        expected.iter().sum::<u64>()
    );
    for (caller, expected) in expected.into_iter().enumerate() {
        let caller = format!("many-{caller}");
        let spent = poll(PATIENCE, || {
            Some(stage.spent(&caller)).filter(|spent| spent[0] == expected)
        });
        let spent =
            spent.unwrap_or_else(|| panic!("{caller}: {:?}, not {expected}", stage.spent(&caller)));
        assert_eq!((spent[1] + spent[2], spent[3]), (expected, 100), "{caller}");
    }
}

/// A later budget that refuses gives back what the earlier ones reserved; nobody asks the upstream.
#[test]
fn a_refusal_costs_nothing() {
    let stage = Stage::open(1);
    let large = amended(body(false), json!({ "max_tokens": LIMIT }));
    let received = stage.upstream.received();
    for _ in 0..3 {
        let answer = stage
            .gateway
            .send(&stage.request("refused", "/v1/chat/completions", &large));
        assert_eq!(answer.status, 429, "{answer:?}");
        assert_four_limits(&answer);
    }
    assert_eq!(stage.upstream.received(), received);
    stage.assert_spent("refused", NOTHING);
}

fn assert_four_limits(answer: &Answer) {
    for name in ["ratelimit", "ratelimit-policy"] {
        let value = answer.header(name).unwrap_or_else(|| panic!("{answer:?}"));
        let names: Vec<&str> = value
            .split(',')
            .filter_map(|limit| limit.trim().split(';').next())
            .collect();
        assert_eq!(
            names,
            ["\"total\"", "\"input\"", "\"output\"", "\"requests\""],
            "{value}"
        );
    }
}
