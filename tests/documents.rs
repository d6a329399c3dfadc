//! The documents: every link leads somewhere, every command and test that they name is there, and
//! every configuration in them compiles.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use portcullis_core::policy::{InvalidPolicy, compile};

mod documents {
    pub mod pages;
}

use documents::pages::{configurations, documents};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn root() -> &'static Path {
    Path::new(ROOT)
}

/// A page without its code blocks, in which brackets are no links and `#` begins no heading.
fn prose(page: &str) -> String {
    page.split("```").step_by(2).collect()
}

/// Where its links lead.
fn links(page: &str) -> Vec<String> {
    let prose = prose(page);
    let links = prose.split("](").skip(1);
    links
        .filter_map(|rest| rest.split_once(')'))
        .map(|(link, _)| link.to_owned())
        .collect()
}

/// The names by which its headings are found: as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    prose(page)
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
            title.chars().filter(kept).collect::<String>()
        })
        .map(|title| title.replace(' ', "-"))
        .collect()
}

/// What is wrong with a link of the document at `from`.
fn fault(from: &Path, link: &str) -> Option<String> {
    if link.starts_with("https://") || link.starts_with("http://") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match file {
        "" => from.to_path_buf(),
        file => from.parent().unwrap().join(file),
    };
    if !target.exists() {
        return Some(format!("{link}: no such file"));
    }
    let is_found = || anchors(&fs::read_to_string(&target).unwrap()).contains(anchor);
    (!anchor.is_empty() && !is_found()).then(|| format!("{link}: no such heading"))
}

#[test]
fn every_link_leads_somewhere() {
    let mut faults = Vec::new();
    let mut checked = 0;
    for (path, page) in documents() {
        for link in links(&page) {
            checked += 1;
            let fault = fault(&path, &link);
            faults.extend(fault.map(|fault| format!("{}: {fault}", path.display())));
        }
    }
    assert!(checked > 100, "the test must see the links: {checked}");
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let from = root().join("docs/configuration.md");
    let page = "[a](#values) [b](callouts.md#memory) ```[c](d)``` [e](https://example.com/)";
    assert_eq!(
        links(page),
        ["#values", "callouts.md#memory", "https://example.com/"]
    );
    for link in links(page) {
        assert_eq!(fault(&from, &link), None);
    }
    for (link, expected) in [
        ("absent.md", "absent.md: no such file"),
        ("#absent", "#absent: no such heading"),
        ("callouts.md#absent", "callouts.md#absent: no such heading"),
    ] {
        assert_eq!(fault(&from, link).as_deref(), Some(expected));
    }
}

/// What stands between backticks and begins with `start`.
fn quoted<'p>(page: &'p str, start: &str) -> Vec<&'p str> {
    page.split('`')
        .filter(|text| text.starts_with(start))
        .collect()
}

#[test]
fn every_command_is_a_target() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let mut checked = 0;
    for (path, page) in documents() {
        for command in quoted(&page, "make ") {
            let target = command.split_whitespace().nth(1).unwrap();
            let is_target = makefile.contains(&format!("\n{target}:"));
            assert!(is_target, "{}: {command}", path.display());
            checked += 1;
        }
    }
    assert!(checked > 40, "the test must see the commands: {checked}");
}

#[test]
fn every_test_that_is_named_is_there() {
    let mut checked = 0;
    for (path, page) in documents() {
        for named in quoted(&page, "tests/") {
            let Some((file, test)) = named.split_once("::") else {
                continue;
            };
            let source = fs::read_to_string(root().join(file))
                .unwrap_or_else(|e| panic!("{}: {named}: {e}", path.display()));
            let is_test = source.contains(&format!("#[test]\nfn {test}("));
            // A topic of the tables that run natively and in Envoy.
            let is_topic = source.contains(&format!("\nfn {test}(tables: &mut Tables)"));
            assert!(is_test || is_topic, "{}: {named}", path.display());
            checked += 1;
        }
    }
    assert!(checked > 100, "the test must see the tests: {checked}");
}

/// Whether a configuration lacks the other module and nothing else, whose tests compile it.
fn is_for_the_other_module(invalid: &InvalidPolicy) -> bool {
    let mut faults = invalid.faults().iter().map(ToString::to_string);
    faults.all(|fault| fault.ends_with("needs portcullis-ai.wasm"))
}

/// A reader may copy any of them as it stands.
#[test]
fn every_configuration_compiles() {
    let environment = |_: &str| Some("0123456789abcdef".to_owned());
    let mut compiled = 0;
    for (path, configuration) in configurations() {
        match compile(configuration.to_string().as_bytes(), &environment) {
            Ok(_) => compiled += 1,
            Err(invalid) if is_for_the_other_module(&invalid) => {}
            Err(invalid) => panic!("{}:\n{invalid}\n{configuration}", path.display()),
        }
    }
    assert!(compiled >= 3, "the test must see the blocks: {compiled}");
}
