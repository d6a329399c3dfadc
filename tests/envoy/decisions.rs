//! The tables of `tests/decisions`, judged by the module in a real Envoy: one Envoy for each file, a listener for each
//! policy. What HTTP/1.1 cannot carry is left to the native tests.

use crate::harness::client::{Request, request};
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::keys::Key;
use crate::harness::policy::{only, provider};
use crate::harness::refusal::{self, Challenge};
use crate::tables::{Ask, PASSES, Row, Table, Tables};

/// Bytes of headers that Envoy takes by default, with room for those that it adds.
const ENVOYS_LIMIT: usize = 60_000;

/// The name of a topic, and what adds its tables.
type Topic<'t> = (&'t str, fn(&mut Tables));

/// Judges the topics of a file.
pub fn hold(topics: &[Topic<'_>]) {
    let mut tables: Vec<(&str, Table)> = Vec::new();
    for (name, topic) in topics {
        tables.extend(Tables::of(*topic).into_iter().map(|table| (*name, table)));
    }
    let policies = tables.iter().map(|(_, table)| table.policy.clone());
    let setup = Setup::of(only(provider([&Key::new("ES256", "unused")])));
    let gateway = setup.beside(policies.collect()).start();
    let (mut judged, mut wrong) = (0, String::new());
    for (i, (topic, table)) in tables.iter().enumerate() {
        let port = gateway.port_beside(i);
        for row in table.rows.iter().filter(|row| fits(&row.ask)) {
            // Asked twice: what is remembered must not change the answer.
            for time in ["at first", "then"] {
                if let Err(why) = judge(port, row) {
                    wrong += &format!("{topic}: {}: {time} {why}\n", row.what);
                }
            }
            judged += 1;
        }
    }
    println!("{judged} rows");
    assert!(wrong.is_empty(), "{wrong}\n{}", gateway.log_tail());
    assert!(judged > 0, "no row");
    assert_eq!(reloads(&gateway), 0, "a VM died:\n{}", gateway.log_tail());
}

fn reloads(gateway: &Gateway) -> u64 {
    gateway.counter("wasm.portcullis.vm_reload_success")
}

fn judge(port: u16, row: &Row) -> Result<(), String> {
    let answer = sent(&row.ask).send(port).map_err(|e| e.to_string())?;
    if row.expected == PASSES {
        return answer
            .seen()
            .map(|_| ())
            .map_err(|why| format!("{why}: {answer:?}"));
    }
    // Envoy refuses some of these by itself, without a body of ours.
    let is_envoys = [400, 404].contains(&answer.status) && answer.json().is_err();
    if is_envoys && ["AMBIGUOUS_PATH", "AMBIGUOUS_HOST"].contains(&row.expected) {
        return Ok(());
    }
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    let scheme = if challenge.starts_with("ApiKey") {
        Challenge::ApiKey
    } else {
        Challenge::Bearer
    };
    refusal::check(&answer, row.expected, scheme).map_err(|why| format!("{why}: {answer:?}"))
}

/// Whether HTTP/1.1 and Envoy carry it unchanged: no control character and no outer white space in a value (RFC 9110
/// §5.5), visible ASCII in target and host.
fn fits(ask: &Ask) -> bool {
    let is_visible = |value: &[u8]| value.iter().all(u8::is_ascii_graphic);
    let is_field = |value: &[u8]| {
        let is_clean = value.iter().all(|b| *b == b'\t' || !b.is_ascii_control());
        is_clean && value == value.trim_ascii()
    };
    let size: usize = ask.0.iter().map(|(n, v)| n.len() + v.len()).sum();
    let fits = ask.0.iter().all(|(name, value)| match name.as_str() {
        ":path" => is_visible(value) && !value.is_empty(),
        ":authority" => is_visible(value),
        _ => is_field(value),
    });
    fits && size < ENVOYS_LIMIT
}

fn sent(ask: &Ask) -> Request {
    let pseudo = |name: &str| -> &[u8] {
        let found = ask.0.iter().find(|(n, _)| n == name);
        &found.expect("a pseudo-header").1
    };
    let method = String::from_utf8_lossy(pseudo(":method"));
    let line = request(&method, pseudo(":path")).host(pseudo(":authority"));
    let fields = ask.0.iter().filter(|(name, _)| !name.starts_with(':'));
    fields.fold(line, |request, (name, value)| request.header(name, value))
}
