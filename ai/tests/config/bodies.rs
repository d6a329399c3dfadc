//! What models, prompts and budgets mean once they are compiled.

use std::rc::Rc;
use std::time::Duration;

use portcullis_core::api::{Api, Unit};
use portcullis_core::config::FilterStateField;
use portcullis_core::ledger::terms::LeaseSize;
use portcullis_core::policy::budget::{Budget, BudgetId, Limit, Part};
use portcullis_core::policy::claim::{ApiKeyClaim, ClaimId, ClaimPath};
use portcullis_core::policy::endpoint::Endpoint;
use portcullis_core::policy::model::{BodyLimits, Category, ModelLocation};
use portcullis_core::policy::request_part::RequestPart;
use portcullis_core::policy::requirement::{RefusalForm, Rule};
use portcullis_core::policy::{Policy, compile, compile_api_keys};
use portcullis_core::secret::{Digest, Secret};
use serde_json::Value;

use crate::config::pages::{configurations, configurations_in};
use crate::{compile_yaml, reference};

const WHOLE: u64 = 1 << 53;

fn policy(yaml: &str) -> Policy {
    match compile_yaml(yaml) {
        Ok(compiled) => compiled.policy,
        Err(invalid) => panic!("{invalid}"),
    }
}

fn all_keys() -> Policy {
    policy(include_str!("good/all_keys.yaml"))
}

fn rule<'p>(policy: &'p Policy, label: &str) -> &'p Rule {
    let mut rules = policy.rules.iter();
    rules.find(|rule| &*rule.label == label).unwrap()
}

fn budget<'p>(policy: &'p Policy, name: &str) -> &'p Rc<Budget> {
    let mut budgets = policy.budgets.iter();
    budgets.find(|budget| &*budget.name == name).unwrap()
}

fn claim(policy: &Policy, id: ClaimId) -> Vec<&str> {
    policy.claims[id.0].members().collect()
}

fn authorization_of(endpoint: &Endpoint) -> Option<&[u8]> {
    endpoint.authorization.as_ref().map(Secret::expose)
}

#[test]
fn what_is_not_written_has_the_default_of_the_reference() {
    let policy = policy(include_str!("good/least.yaml"));
    assert_eq!(policy.limits.budget_callers, 65_536);
    let rule = &policy.rules[0];
    let limits = BodyLimits {
        max_bytes: 1_048_576,
        timeout: Duration::from_secs(10),
    };
    assert_eq!(rule.body, Some(limits));
    let models = rule.models.as_ref().unwrap();
    assert!(matches!(models.from, ModelLocation::Body));
    assert_eq!(models.api, None);
    assert_eq!(models.claim, None);
    assert_eq!(models.output_name, "max_completion_tokens");
    assert!(models.allow_references);
    assert!(models.allow[0].demands.is_none());
    assert_eq!(models.allow[0].max_output_tokens, None);
    assert!(rule.prompts.is_none());

    let daily = &policy.budgets[0];
    assert!(Rc::ptr_eq(daily, &rule.budgets[0]));
    assert_eq!(daily.per, []);
    assert_eq!(daily.limit, Limit::Fixed(10_000));
    assert_eq!(daily.window, Duration::from_secs(86_400));
    assert_eq!(daily.unit, Unit::TotalTokens);
    assert_eq!(daily.default_output_tokens, 1024);
    assert_eq!(daily.default_input_tokens, 0);
    assert!(daily.ledger.is_none());

    let keys = policy.api_keys.unwrap();
    let key = keys.inline.sha256.values().next().unwrap();
    assert_eq!((&key.models, key.token_budget), (&None, None));
}

#[test]
fn models_are_meant_as_they_are_written() {
    let policy = all_keys();
    let chat = rule(&policy, "chat");
    let limits = BodyLimits {
        max_bytes: 67_108_864,
        timeout: Duration::from_secs(3600),
    };
    assert_eq!(chat.body, Some(limits));
    let models = chat.models.as_ref().unwrap();
    assert!(matches!(models.from, ModelLocation::Body));
    assert_eq!(models.api, Some(Api::Chat));
    assert_eq!(claim(&policy, models.claim.unwrap()), ["models"]);
    assert_eq!(models.output_name, "max_tokens");
    assert!(!models.allow_references);

    let [premium, mini, open] = &models.allow[..] else {
        panic!("three entries");
    };
    assert_eq!(&*premium.name, "gpt-4o");
    let demands = premium.demands.as_ref().unwrap();
    let scopes = ["ai:use", "model:premium", "eu", "us"];
    assert_eq!(demands.scopes_to_ask_for(), scopes);
    // Each part must be satisfied: the rule's, and the model's own.
    assert_eq!(demands.scopes.len(), 2);
    assert_eq!(premium.max_output_tokens, Some(4096));
    assert_eq!((&*mini.name, mini.pattern.as_str()), ("*-mini", "*-mini"));
    assert!(mini.pattern.matches("gpt-4o-mini") && !mini.pattern.matches("gpt-4o"));
    assert!(mini.demands.is_none());
    assert_eq!(mini.max_output_tokens, Some(WHOLE));
    assert!(open.demands.is_none());

    let invoke = rule(&policy, "invoke");
    let models = invoke.models.as_ref().unwrap();
    let ModelLocation::Path(RequestPart::Segment(segment)) = models.from else {
        panic!("it is in the path");
    };
    assert_eq!(segment, 1);
    let literal = ["https://example.com/models"];
    assert_eq!(claim(&policy, models.claim.unwrap()), literal);
}

#[test]
fn prompts_are_meant_as_they_are_written() {
    let policy = all_keys();
    let prompts = |label| rule(&policy, label).prompts.as_ref().unwrap();

    let chat = prompts("chat");
    assert!(
        matches!(&chat.category, Category::Body(path) if **path == ["metadata".into(), "category".into()])
    );
    assert!(chat.allow[0].scopes.is_none());
    assert!(chat.allow[1].pattern.matches("code_generation"));
    let scopes = chat.allow[1].scopes.as_ref().unwrap();
    assert_eq!(scopes.to_string(), "prompt:code");

    let Category::Header(name) = &prompts("header").category else {
        panic!("a header");
    };
    assert!(name.is(b"x_prompt_category"));
    // Trailers of that name are refused, as those of every header that is compared.
    let compared = &policy.compared_headers;
    assert!(compared.iter().any(|name| name.is(b"x-prompt-category")));

    let Category::Classifier(endpoint) = &prompts("invoke").category else {
        panic!("a classifier");
    };
    assert_eq!(&*endpoint.cluster, "classifier");
    assert_eq!(&*endpoint.scheme, "https");
    assert_eq!(&*endpoint.path, "/kind?v=1");
    assert_eq!(endpoint.timeout, Duration::from_secs(60));
    assert_eq!(
        authorization_of(endpoint),
        Some(&b"0123456789abcdef0123"[..])
    );
    let Category::Classifier(endpoint) = &prompts("classified").category else {
        panic!("a classifier");
    };
    assert_eq!(endpoint.timeout, Duration::from_millis(500));
    assert_eq!(authorization_of(endpoint), None);
}

#[test]
fn budgets_are_meant_as_they_are_written() {
    let policy = all_keys();
    for (id, budget) in policy.budgets.iter().enumerate() {
        assert_eq!(budget.id, BudgetId(id));
    }
    let daily = budget(&policy, "daily");
    let burst = budget(&policy, "burst");
    let charged = &rule(&policy, "chat").budgets;
    assert!(Rc::ptr_eq(&charged[0], daily) && Rc::ptr_eq(&charged[1], burst));

    let parts = [
        Part::Subject,
        Part::ClientId,
        Part::Tenant,
        Part::KeyId,
        Part::Model,
    ];
    assert_eq!(daily.per, parts);
    assert_eq!(daily.limit, Limit::Fixed(WHOLE));
    assert_eq!(daily.window, Duration::from_secs(744 * 3600));
    assert_eq!(daily.unit, Unit::OutputTokens);
    assert_eq!(daily.default_output_tokens, 0);
    assert_eq!(daily.default_input_tokens, WHOLE);
    let ledger = daily.ledger.as_ref().unwrap();
    assert_eq!(&*ledger.endpoint.cluster, "authority");
    assert_eq!(&*ledger.endpoint.path, "/ledger");
    assert_eq!(ledger.endpoint.timeout, Duration::from_millis(1));
    let secret = Some(&b"0123456789abcdef0123"[..]);
    assert_eq!(authorization_of(&ledger.endpoint), secret);
    assert_eq!(ledger.lease, LeaseSize::Share(5_000));
    assert!(ledger.allow_local);

    let Limit::Claim { claim: id, default } = burst.limit else {
        panic!("a claim");
    };
    assert_eq!(claim(&policy, id), ["token_budget"]);
    assert_eq!(default, Some(10_000));
    assert_eq!(burst.window, Duration::from_secs(1));
    assert_eq!(burst.unit, Unit::InputTokens);
    let ledger = burst.ledger.as_ref().unwrap();
    assert_eq!(ledger.endpoint.timeout, Duration::from_millis(300));
    assert_eq!(ledger.lease, LeaseSize::Fixed(20_000));
    assert!(!ledger.allow_local);

    let calls = budget(&policy, "calls");
    assert_eq!(calls.per, []);
    let Limit::Claim { claim: id, default } = calls.limit else {
        panic!("a claim");
    };
    assert_eq!(claim(&policy, id), ["plan", "calls"]);
    assert_eq!(default, None);
    assert_eq!(calls.unit, Unit::Requests);
    assert!(calls.ledger.is_none());

    let other = budget(&policy, "other");
    assert_eq!(other.limit, Limit::Fixed(0));
    assert_eq!(other.window, Duration::from_secs(5400));
    assert_eq!(
        other.ledger.as_ref().unwrap().lease,
        LeaseSize::Share(20_000)
    );
    assert_eq!(policy.limits.budget_callers, 1);
}

#[test]
fn filter_state_may_have_the_usage() {
    let fields = [
        FilterStateField::Model,
        FilterStateField::InputTokens,
        FilterStateField::OutputTokens,
    ];
    assert_eq!(all_keys().filter_state, fields);
}

/// Which rules read bodies, and how their refusals are written.
#[test]
fn only_rules_that_need_bodies_read_them() {
    let plain = RefusalForm::Plain;
    let (of_models, of_mcp) = (RefusalForm::ModelApi, RefusalForm::JsonRpc);
    let body = "prompt: {category: {body: kind}, allow: [{name: a}]}";
    let header = "prompt: {category: {header: kind}, allow: [{name: a}]}";
    let classifier =
        r#"prompt: {category: {classifier: {cluster: a, uri: "http://a"}}, allow: [{name: a}]}"#;
    for (members, reads_bodies, form) in [
        ("", false, plain),
        ("body: {}", false, plain),
        ("model: {allow: [{name: a}]}", true, of_models),
        (
            "access: anonymous, model: {allow: [{name: a}]}",
            true,
            of_models,
        ),
        (
            "match: {path: {template: '/{m}'}}, model: {from: {path: m}, allow: [{name: a}]}",
            true,
            of_models,
        ),
        (body, true, plain),
        (header, false, plain),
        (classifier, true, plain),
        (&format!("{header}, budgets: [calls]"), false, of_models),
        (&format!("{body}, budgets: [calls]"), true, of_models),
        ("budgets: [calls]", false, of_models),
        ("budgets: [total]", true, of_models),
        ("budgets: [calls, input]", true, of_models),
        ("budgets: [output, calls]", true, of_models),
        ("mcp: {body: server}", false, of_mcp),
        ("mcp: {}", false, of_mcp),
        ("mcp: {body: verify}", true, of_mcp),
        ("mcp: {body: server, list: filter}", false, of_mcp),
        (
            "mcp: {body: verify, list: filter}, budgets: [calls]",
            true,
            of_mcp,
        ),
        ("mcp: {body: server}, budgets: [calls]", false, of_mcp),
    ] {
        let yaml = format!(
            r#"
            providers: {{corp: {{issuer: i, audiences: [a], jwks: {{remote: {{cluster: c, uri: "http://h"}}}}}}}}
            rules: [{{{members}}}]
            budgets:
              calls: {{limit: 1, window: 1s, charge: requests}}
              total: {{limit: 10000, window: 1s}}
              input: {{limit: 1, window: 1s, charge: input_tokens}}
              output: {{limit: 10000, window: 1s, charge: output_tokens}}
            "#
        );
        let policy = policy(&yaml);
        let rule = &policy.rules[0];
        assert_eq!(rule.body.is_some(), reads_bodies, "{members}");
        assert_eq!(rule.refusal_form, form, "{members}");
        let mcp = rule.mcp.as_ref();
        let verifies = mcp.is_some_and(|mcp| mcp.verifies_body);
        let filters = mcp.is_some_and(|mcp| mcp.filters_lists);
        assert_eq!(verifies, members.contains("verify"), "{members}");
        assert_eq!(filters, members.contains("filter"), "{members}");
    }
}

#[test]
fn api_keys_have_models_and_a_budget() {
    let policy = all_keys();
    let keys = policy.api_keys.as_ref().unwrap();
    let digest = Digest::sha256(b"test");
    let key = &keys.inline.sha256[&digest];
    assert_eq!(key.models, Some(vec!["*-mini".into(), "gpt-4o".into()]));
    assert_eq!(key.token_budget, Some(WHOLE));
    // Nothing, which is another thing than no list and no number.
    let nobody = &keys.inline.hmac_sha256[&digest];
    assert_eq!(nobody.models, Some(Vec::new()));
    assert_eq!(nobody.token_budget, Some(0));

    let list = r#"{"keys": [{"id": "a", "hash": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "models": ["o1"], "token_budget": 5}]}"#;
    let table = compile_api_keys(list.as_bytes(), None).unwrap();
    let key = &table.sha256[&digest];
    assert_eq!(key.models, Some(vec!["o1".into()]));
    assert_eq!(key.token_budget, Some(5));

    for (path, expected) in [
        ("models", Some(ApiKeyClaim::Models)),
        ("token_budget", Some(ApiKeyClaim::TokenBudget)),
        ("models.a", None),
        ("budget", None),
    ] {
        let path = ClaimPath::from_dotted(path).unwrap();
        assert_eq!(path.of_api_key(), expected, "{path:?}");
    }
}

/// Clients learn from the metadata of a resource what they may have to ask for.
#[test]
fn metadata_lists_the_scopes_of_models_and_prompts() {
    let yaml = r#"
    providers: {corp: {issuer: "https://idp/", audiences: [a], jwks: {remote: {cluster: c, uri: "http://h"}}}}
    rules:
      - match: {path: {prefix: /v1/chat}}
        scopes: {all: [use]}
        model: {allow: [{name: a, scopes: {all: [premium], any: [eu, use]}}, {name: "*"}]}
        prompt: {category: {body: kind}, allow: [{name: b, scopes: {all: [code, premium]}}]}
      - match: {path: {prefix: /v2}}
        model: {allow: [{name: a, scopes: {all: [other]}}]}
    resources: [{resource: "https://ai.example.com/v1"}]
    "#;
    let policy = policy(yaml);
    let scopes = policy.rules[0].all_scopes();
    assert_eq!(scopes, ["use", "premium", "eu", "code"]);
    let metadata = format!("{:?}", policy.resources);
    let listed = r#"\"scopes_supported\":[\"use\",\"premium\",\"eu\",\"code\"]"#;
    assert!(metadata.contains(listed), "{metadata}");
}

/// Also those that the other module has no keys for.
#[test]
fn every_configuration_in_the_documents_compiles() {
    let environment = |_: &str| Some("0123456789abcdef".to_owned());
    for (path, configuration) in configurations() {
        if let Err(invalid) = compile(configuration.to_string().as_bytes(), &environment) {
            panic!("{}:\n{invalid}\n{configuration}", path.display());
        }
    }
}

/// With the variables that their VMs are given.
#[test]
fn the_manifests_with_bodies_compile() {
    let environment =
        |name: &str| (name == "LEDGER_AUTHORIZATION").then(|| "Basic YTpi".to_owned());
    for file in ["istio", "envoy-gateway"] {
        let path = format!("{}/envoy/{file}/with-bodies.yaml", crate::ROOT);
        let yaml = std::fs::read_to_string(path).unwrap();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&yaml).unwrap();
        let mut found = Vec::new();
        for document in &documents {
            configurations_in(document, &mut found);
        }
        assert_eq!(found.len(), 1, "{file}");
        let compiled = compile(found[0].to_string().as_bytes(), &environment);
        let compiled = compiled.unwrap_or_else(|invalid| panic!("{file}: {invalid}"));
        assert_eq!(compiled.warnings, [], "{file}");
    }
}

#[test]
fn the_reference_of_bodies_compiles_without_a_warning() {
    let [yaml] = reference("All of it, with bodies")[..] else {
        panic!("one block");
    };
    let compiled = compile_yaml(yaml).unwrap_or_else(|invalid| panic!("{invalid}"));
    assert_eq!(compiled.warnings, []);
}

/// Where Envoy reads a `Struct` from YAML, it writes whole numbers beyond 31 bits as strings.
#[test]
fn large_numbers_may_be_strings() {
    let with = |limit: &str| {
        compile_yaml(&format!(
            "api_keys: {{keys: [{{id: a, hash: 'sha256:{}'}}]}}\nrules: [{{budgets: [b]}}]\n\
             budgets: {{b: {{limit: {limit}, window: 1h, charge: requests}}}}",
            "0".repeat(64),
        ))
    };
    for (limit, expected) in [
        ("'2147483648'", 1 << 31),
        ("'9007199254740992'", WHOLE),
        ("2147483648", 1 << 31),
    ] {
        let policy = with(limit).expect(limit).policy;
        assert_eq!(
            budget(&policy, "b").limit,
            Limit::Fixed(expected),
            "{limit}"
        );
    }
    for wrong in [
        "'2147483647'",
        "'02147483648'",
        "'1e10'",
        "''",
        "'9007199254740993'",
    ] {
        assert!(with(wrong).is_err(), "{wrong}");
    }
}
