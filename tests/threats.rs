//! docs/threats.md and the tests that it names; and what it asks of the shipped configurations.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use portcullis_core::limits::INTROSPECTIONS_IN_FLIGHT;
use serde_json::{Value, json};

/// Sections without threats: they name commands and not tests.
const COMMANDS: [&str; 2] = ["What looks for the next ones", "Soak"];

/// A paragraph: what is attacked and how, what we do about it, and behind `Test: ` who shows it.
#[derive(Debug)]
struct Threat {
    name: String,
    tests: Vec<Named>,
}

#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Named {
    file: String,
    test: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl Into<PathBuf>) -> String {
    let path = root().join(path.into());
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

// === the page ===

/// The page's threats, and what is wrong with its form.
fn threats(page: &str) -> (Vec<Threat>, Vec<String>) {
    let (mut threats, mut faults) = (Vec::new(), Vec::new());
    let mut names = BTreeSet::new();
    for section in page.split("\n## ").skip(1) {
        let (title, text) = section.split_once('\n').unwrap_or((section, ""));
        if COMMANDS.contains(&title) {
            continue;
        }
        let blocks = text.split("\n\n").map(str::trim).filter(|b| !b.is_empty());
        let before = threats.len();
        for (at, block) in blocks.enumerate() {
            // A section may say first what it is about.
            if at == 0 && !block.starts_with("**") && !block.contains("Test: ") {
                continue;
            }
            match threat(block) {
                Ok(threat) => {
                    if !names.insert(threat.name.clone()) {
                        faults.push(format!("{title}: {}: is there twice", threat.name));
                    }
                    threats.push(threat);
                }
                Err(fault) => faults.push(format!("{title}: {fault}")),
            }
        }
        if threats.len() == before {
            faults.push(format!("{title}: no threat"));
        }
    }
    (threats, faults)
}

fn threat(block: &str) -> Result<Threat, String> {
    let start = block.lines().next().unwrap_or_default();
    let name = block.strip_prefix("**").and_then(|b| b.split_once("**"));
    let (name, _) = name.ok_or(format!("{start}: does not begin with its name"))?;
    let (_, list) = block
        .split_once("\nTest: ")
        .ok_or(format!("{name}: no `Test: `"))?;
    let tests: Result<Vec<Named>, String> = list
        .split(',')
        .map(|entry| {
            let entry = entry.trim();
            let named = entry
                .strip_prefix('`')
                .and_then(|e| e.strip_suffix('`'))
                .and_then(|e| e.split_once("::"));
            let (file, test) = named.ok_or(format!("{name}: {entry} is no `FILE::TEST`"))?;
            Ok(Named {
                file: file.to_owned(),
                test: test.to_owned(),
            })
        })
        .collect();
    Ok(Threat {
        name: name.to_owned(),
        tests: tests?,
    })
}

/// Why a name names no test that runs.
fn fault(source: Option<&str>, named: &Named) -> Option<String> {
    let Named { file, test } = named;
    let Some(source) = source else {
        return Some(format!("{file}: no such file"));
    };
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let declaration = format!("fn {test}(");
    let Some(at) = lines.iter().position(|line| line.starts_with(&declaration)) else {
        return Some(format!("{file}::{test}: no such function"));
    };
    // Each backend makes a test of what this macro lists.
    let judged = source
        .split_once("judged! {")
        .and_then(|(_, rest)| rest.split_once('}'));
    if judged.is_some_and(|(list, _)| list.split(',').any(|topic| topic.trim() == test)) {
        return None;
    }
    let above = lines[..at].iter().rev();
    let attributes: Vec<_> = above.take_while(|line| line.starts_with('#')).collect();
    if !attributes.contains(&&"#[test]") {
        return Some(format!("{file}::{test}: no test"));
    }
    let skipped = attributes.iter().find(|line| line.starts_with("#[ignore"));
    skipped.map(|_| format!("{file}::{test}: is ignored"))
}

#[test]
fn every_threat_names_tests_that_are_there() {
    let page = read("docs/threats.md");
    let (threats, mut faults) = threats(&page);
    let mut named = BTreeSet::new();
    for threat in threats.iter() {
        for test in &threat.tests {
            let source = fs::read_to_string(root().join(&test.file)).ok();
            let fault = fault(source.as_deref(), test);
            faults.extend(fault.map(|fault| format!("{}: {fault}", threat.name)));
            named.insert(test);
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    println!("{} threats, {} tests", threats.len(), named.len());
    assert!(
        threats.len() > 80 && named.len() > 150,
        "the page is read as a whole: {} threats, {} tests",
        threats.len(),
        named.len()
    );
}

/// Sections are found by the links at the top.
#[test]
fn every_link_within_the_page_leads_somewhere() {
    let page = read("docs/threats.md");
    let anchors: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|title| title.to_lowercase().replace(',', "").replace(' ', "-"))
        .collect();
    let links = page.split("](#").skip(1);
    let links: BTreeSet<String> = links
        .map(|rest| rest.split(')').next().unwrap().to_owned())
        .collect();
    assert_eq!(links, anchors);
}

// === the checks themselves ===

#[test]
fn what_is_wrong_with_a_page_is_told() {
    let good = "# T\n\nIntro.\n\n## One\n\nAbout it.\n\n**A.** Text\nof it.\nTest: `a.rs::b`,\n`c.rs::d`\n\n## Soak\n\nFree.\n";
    let (found, faults) = threats(good);
    assert!(faults.is_empty(), "{faults:?}");
    let named: Vec<_> = found[0]
        .tests
        .iter()
        .map(|t| (&*t.file, &*t.test))
        .collect();
    assert_eq!(found[0].name, "A.");
    assert_eq!(named, [("a.rs", "b"), ("c.rs", "d")]);
    for (from, to, expected) in [
        ("Test: `a.rs::b`,\n`c.rs::d`", "", "One: A.: no `Test: `"),
        (
            "**A.** Text",
            "A. Text",
            "One: A. Text: does not begin with its name",
        ),
        (
            "`c.rs::d`",
            "c.rs::d",
            "One: A.: c.rs::d is no `FILE::TEST`",
        ),
        ("`c.rs::d`", "`c.rs`", "One: A.: `c.rs` is no `FILE::TEST`"),
        ("`c.rs::d`", "", "One: A.:  is no `FILE::TEST`"),
        (
            "\n\n## Soak",
            "\n\nAnd more.\n\n## Soak",
            "One: And more.: does not begin with its name",
        ),
        (
            "\n\n## Soak",
            "\n\n**A.** Again.\nTest: `a.rs::b`\n\n## Soak",
            "One: A.: is there twice",
        ),
        ("## Soak", "## Two\n\n## Soak", "Two: no threat"),
    ] {
        let page = good.replacen(from, to, 1);
        assert_ne!(page, good, "{from}");
        let (_, faults) = threats(&page);
        assert!(faults.contains(&expected.to_owned()), "{page}: {faults:?}");
    }
}

#[test]
fn a_name_without_a_test_is_told() {
    let source = "/// Says what it shows.\n#[test]\nfn shown() {}\n\nfn helper() {}\n\n    #[test]\n    #[ignore = \"slow\"]\n    fn ignored() {}\n";
    for (test, expected) in [
        ("shown", None),
        ("helper", Some("a.rs::helper: no test")),
        ("ignored", Some("a.rs::ignored: is ignored")),
        ("renamed", Some("a.rs::renamed: no such function")),
        // The start of a name is another name.
        ("show", Some("a.rs::show: no such function")),
    ] {
        let named = Named {
            file: "a.rs".into(),
            test: test.into(),
        };
        assert_eq!(fault(Some(source), &named).as_deref(), expected);
    }
    let named = Named {
        file: "a.rs".into(),
        test: "shown".into(),
    };
    assert_eq!(fault(None, &named).as_deref(), Some("a.rs: no such file"));
}

// === what Envoy is told ===

/// A file's YAML documents; of a placeholder its default, or nothing.
fn documents(file: &str) -> Vec<Value> {
    let text = read(file);
    let mut parts = text.split("${");
    let mut filled = parts.next().unwrap().to_owned();
    for part in parts {
        let (placeholder, rest) = part.split_once('}').expect("a placeholder ends");
        let default = placeholder.split_once(":-").map_or("{}", |(_, text)| text);
        filled += default;
        filled += rest;
    }
    serde_saphyr::from_multiple(&filled).unwrap_or_else(|invalid| panic!("{file}: {invalid}"))
}

/// Every value behind a member of that name, at any depth; and what a JSON patch puts there.
fn all<'v>(value: &'v Value, name: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| all(item, name, found)),
        Value::Object(members) => {
            found.extend(members.get(name));
            if members.get("path").is_some_and(|path| path == name) {
                found.extend(members.get("value"));
            }
            members.values().for_each(|member| all(member, name, found));
        }
        _ => {}
    }
}

fn values(documents: &[Value], name: &str) -> Vec<Value> {
    let mut found = Vec::new();
    documents.iter().for_each(|d| all(d, name, &mut found));
    found.into_iter().cloned().collect()
}

#[test]
fn every_way_to_ship_it_keeps_its_vm_and_its_calls() {
    let tour = "envoy/envoy.yaml";
    let ai_gateway = "envoy/ai-gateway.yaml";
    let own_vm = "envoy/istio/own-vm.yaml";
    let istio_ai = "envoy/istio/with-bodies.yaml";
    let gateway_ai = "envoy/envoy-gateway/with-bodies.yaml";
    let patches = "envoy/envoy-gateway/patch-policy.yaml";
    let reload = "FAIL_RELOAD";
    for (file, name, expected) in [
        (tour, "failure_policy", &[reload, reload][..]),
        (tour, "vm_id", &["portcullis", "portcullis-ai"]),
        (tour, "stream_idle_timeout", &["15s", "300s"]),
        (ai_gateway, "failure_policy", &[reload]),
        (ai_gateway, "vm_id", &["portcullis-ai"]),
        (ai_gateway, "stream_idle_timeout", &["300s"]),
        (own_vm, "failure_policy", &[reload]),
        (own_vm, "vm_id", &["portcullis"]),
        (istio_ai, "failure_policy", &[reload]),
        (istio_ai, "vm_id", &["portcullis-ai"]),
        (istio_ai, "stream_idle_timeout", &["300s"]),
        ("envoy/istio/wasm-plugin.yaml", "failStrategy", &[reload]),
        ("envoy/istio/proxy.yaml", "stream_idle_timeout", &["15s"]),
        (patches, "failure_policy", &[reload]),
        (gateway_ai, "stream_idle_timeout", &["300s"]),
        (
            "envoy/envoy-gateway/proxy.yaml",
            "streamIdleTimeout",
            &["15s"],
        ),
    ] {
        assert_eq!(
            values(&documents(file), name),
            *json!(expected).as_array().unwrap(),
            "{file}"
        );
    }
    // Where introspections may be made, the cluster has room for those of a worker and more.
    for file in [tour, ai_gateway, patches, gateway_ai] {
        let documents = documents(file);
        for name in ["max_connections", "max_pending_requests", "max_requests"] {
            let rooms = values(&documents, name);
            assert!(!rooms.is_empty(), "{file}: {name}");
            for room in rooms {
                let room = usize::try_from(room.as_u64().expect("a number")).unwrap();
                assert!(room >= INTROSPECTIONS_IN_FLIGHT, "{file}: {name}: {room}");
            }
        }
    }
    // Access to the admin port is control of the proxy.
    for file in [tour, ai_gateway] {
        let admin = &documents(file)[0]["admin"]["address"]["socket_address"]["address"];
        assert_eq!(admin, "127.0.0.1", "{file}");
    }
}
