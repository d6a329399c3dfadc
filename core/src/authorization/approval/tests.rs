use super::*;
use crate::json;

const RESOURCE: &str = "https://mcp.example.com/mcp";

const SUBJECT: Subject<'_> = Subject {
    kind: "tool_call",
    identifier: Wanted::This(Cow::Borrowed("delete_user")),
    resource: Some(RESOURCE),
};

fn approved(subject: &Subject<'_>, details: &str) -> Option<Counts> {
    let details = json::parse(details.as_bytes()).unwrap();
    subject.approved_in(&details)
}

#[test]
fn an_object_of_the_type_with_the_identifier_approves() {
    for details in [
        r#"[{"type": "tool_call", "identifier": "delete_user"}]"#,
        r#"[{"type": "tool_call", "identifier": "delete_user", "once": false}]"#,
        r#"[{"type": "tool_call", "identifier": "delete_user", "actions": ["x"]}]"#,
        r#"[7, {"type": "payment"}, {"type": "tool_call", "identifier": "delete_user"}]"#,
        r#"[{"type": "tool_call", "identifier": "delete_user",
             "locations": ["https://b.example", "https://mcp.example.com/mcp"]}]"#,
    ] {
        assert_eq!(
            approved(&SUBJECT, details),
            Some(Counts::Always),
            "{details}"
        );
    }
}

#[test]
fn no_other_object_approves() {
    for details in [
        "null",
        "{}",
        "[]",
        r#""tool_call""#,
        r#"{"type": "tool_call", "identifier": "delete_user"}"#,
        r#"[[{"type": "tool_call", "identifier": "delete_user"}]]"#,
        r#"["{\"type\": \"tool_call\", \"identifier\": \"delete_user\"}"]"#,
        r#"[{"type": "tool_call"}]"#,
        r#"[{"identifier": "delete_user"}]"#,
        r#"[{"type": "tool_call"}, {"identifier": "delete_user"}]"#,
        r#"[{"type": "Tool_call", "identifier": "delete_user"}]"#,
        r#"[{"type": ["tool_call"], "identifier": "delete_user"}]"#,
        r#"[{"type": "tool_call", "identifier": "delete_users"}]"#,
        r#"[{"type": "tool_call", "identifier": "*"}]"#,
        r#"[{"type": "tool_call", "identifier": ["delete_user"]}]"#,
        r#"[{"type": "tool_call", "identifier": "delete_user", "locations": []}]"#,
        r#"[{"type": "tool_call", "identifier": "delete_user", "locations": null}]"#,
        r#"[{"type": "tool_call", "identifier": "delete_user", "locations": [null]}]"#,
        r#"[{"type": "tool_call", "identifier": "delete_user",
             "locations": "https://mcp.example.com/mcp"}]"#,
        r#"[{"type": "tool_call", "identifier": "delete_user",
             "locations": ["https://mcp.example.com/"]}]"#,
        r#"[{"type": "tool_call", "identifier": "delete_user", "once": 1}]"#,
        r#"[{"type": "tool_call", "identifier": "delete_user", "once": "true"}]"#,
        r#"[{"type": "tool_call", "identifier": "delete_user", "once": null}]"#,
    ] {
        assert_eq!(approved(&SUBJECT, details), None, "{details}");
    }
}

#[test]
fn locations_approve_nothing_where_the_request_is_for_no_resource() {
    let subject = Subject {
        resource: None,
        ..SUBJECT
    };
    for locations in [
        "[]",
        "[null]",
        r#"[""]"#,
        r#"["https://mcp.example.com/mcp"]"#,
    ] {
        let details = format!(
            r#"[{{"type": "tool_call", "identifier": "delete_user", "locations": {locations}}}]"#
        );
        assert_eq!(approved(&subject, &details), None, "{details}");
    }
}

#[test]
fn of_several_approvals_the_one_that_counts_always_is_used() {
    let once = r#"{"type": "tool_call", "identifier": "delete_user", "once": true}"#;
    let always = r#"{"type": "tool_call", "identifier": "delete_user"}"#;
    for (details, expected) in [
        (format!("[{once}]"), Counts::Once),
        (format!("[{once}, {once}]"), Counts::Once),
        (format!("[{once}, {always}]"), Counts::Always),
        (format!("[{always}, {once}]"), Counts::Always),
    ] {
        assert_eq!(approved(&SUBJECT, &details), Some(expected), "{details}");
    }
}

#[test]
fn a_kind_without_an_identifier_is_enough_where_none_is_asked_for() {
    let subject = Subject {
        identifier: Wanted::Anything,
        ..SUBJECT
    };
    for details in [
        r#"[{"type": "tool_call"}]"#,
        r#"[{"type": "tool_call", "identifier": "delete_user"}]"#,
    ] {
        assert_eq!(approved(&subject, details), Some(Counts::Always));
    }
    assert_eq!(approved(&subject, r#"[{"type": "payment"}]"#), None);
}

#[test]
fn nothing_approves_what_is_not_named() {
    let subject = Subject {
        identifier: Wanted::Unnamed,
        ..SUBJECT
    };
    for details in [
        r#"[{"type": "tool_call"}]"#,
        r#"[{"type": "tool_call", "identifier": ""}]"#,
        r#"[{"type": "tool_call", "identifier": null}]"#,
        r#"[{"type": "tool_call", "identifier": "delete_user"}]"#,
    ] {
        assert_eq!(approved(&subject, details), None, "{details}");
    }
}

#[test]
fn each_use_has_a_mark_of_its_own() {
    let other = Subject {
        identifier: Wanted::This(Cow::Borrowed("drop_table")),
        ..SUBJECT
    };
    let uses = [
        SUBJECT.use_of("https://idp.example/", "1"),
        SUBJECT.use_of("https://idp.example/", "2"),
        SUBJECT.use_of("https://idp.example", "/1"),
        other.use_of("https://idp.example/", "1"),
        Subject {
            kind: "tool_callx",
            identifier: Wanted::This(Cow::Borrowed("elete_user")),
            ..SUBJECT
        }
        .use_of("https://idp.example/", "1"),
    ];
    for (i, one) in uses.iter().enumerate() {
        assert!(uses.iter().skip(i + 1).all(|other| other != one));
    }
    // The resource is where it is used, not what was approved.
    let elsewhere = Subject {
        resource: None,
        ..SUBJECT
    };
    assert_eq!(uses[0], elsewhere.use_of("https://idp.example/", "1"));
}

#[test]
fn what_to_ask_for_is_json() {
    let subject = Subject {
        kind: "tool_call",
        identifier: Wanted::This(Cow::Borrowed("a\"b\\\n")),
        resource: Some(RESOURCE),
    };
    assert_eq!(
        subject.to_ask_for(),
        r#"{"type":"tool_call","identifier":"a\"b\\\u000a","locations":["https://mcp.example.com/mcp"]}"#
    );
    let least = Subject {
        identifier: Wanted::Anything,
        resource: None,
        ..subject
    };
    assert_eq!(least.to_ask_for(), r#"{"type":"tool_call"}"#);
}
