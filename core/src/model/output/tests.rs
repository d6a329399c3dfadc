use super::*;
use crate::json;

fn read(body: &str, api: Api) -> Result<OutputWish, MalformedBody> {
    let body = json::parse_object(body.as_bytes()).unwrap_or_else(|e| panic!("{body}: {e}"));
    OutputWish::read(&body, api)
}

const APIS: [Api; 5] = [
    Api::Chat,
    Api::Completions,
    Api::Embeddings,
    Api::Messages,
    Api::Responses,
];

#[test]
fn maxima_are_whole_numbers_from_zero() {
    for name in MAXIMA {
        for (value, expected) in [
            ("4096", Ok(4096)),
            ("4096.0", Ok(4096)),
            ("4.096e3", Ok(4096)),
            ("4096E0", Ok(4096)),
            ("40960e-1", Ok(4096)),
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("0.0", Ok(0)),
            ("9007199254740992", Ok(1 << 53)),
            ("9007199254740992.0", Ok(1 << 53)),
            ("9.007199254740992e15", Ok(1 << 53)),
            // What the body leaves out.
            ("null", Ok(77)),
            ("9007199254740993", Err(MalformedBody)),
            ("9007199254740994.0", Err(MalformedBody)),
            ("18446744073709551615", Err(MalformedBody)),
            ("18446744073709551616", Err(MalformedBody)),
            ("-9223372036854775808", Err(MalformedBody)),
            ("1e300", Err(MalformedBody)),
            ("-1", Err(MalformedBody)),
            ("-1.0", Err(MalformedBody)),
            ("1.5", Err(MalformedBody)),
            ("0.1", Err(MalformedBody)),
            ("1e-3", Err(MalformedBody)),
            ("\"4096\"", Err(MalformedBody)),
            ("\"\"", Err(MalformedBody)),
            ("true", Err(MalformedBody)),
            ("false", Err(MalformedBody)),
            ("[4096]", Err(MalformedBody)),
            ("[]", Err(MalformedBody)),
            ("{}", Err(MalformedBody)),
        ] {
            let body = format!(r#"{{"{name}":{value}}}"#);
            let tokens = read(&body, Api::Chat).map(|wish| wish.tokens(77));
            assert_eq!(tokens, expected, "{body}");
            // Whatever the API knows.
            for api in APIS {
                assert_eq!(read(&body, api).is_ok(), expected.is_ok(), "{body} {api:?}");
            }
        }
    }
}

#[test]
fn there_is_at_least_one_answer() {
    for name in ["n", "best_of"] {
        for (value, expected) in [
            ("1", Ok(10)),
            ("3", Ok(30)),
            ("3.0", Ok(30)),
            ("null", Ok(10)),
            ("9007199254740992", Ok(10 << 53)),
            ("0", Err(MalformedBody)),
            ("-0", Err(MalformedBody)),
            ("0.0", Err(MalformedBody)),
            ("-1", Err(MalformedBody)),
            ("1.5", Err(MalformedBody)),
            ("9007199254740993", Err(MalformedBody)),
            ("\"2\"", Err(MalformedBody)),
            ("true", Err(MalformedBody)),
            ("[]", Err(MalformedBody)),
        ] {
            let body = format!(r#"{{"{name}":{value}}}"#);
            for api in APIS {
                let tokens = read(&body, api).map(|wish| wish.tokens(10));
                let expected = match api {
                    Api::Embeddings => expected.map(|_| 0),
                    _ => expected,
                };
                assert_eq!(tokens, expected, "{body} {api:?}");
            }
        }
    }
}

#[test]
fn any_maximum_may_exceed_a_bound() {
    for (body, expected) in [
        (r#"{"max_tokens":4097}"#, true),
        (r#"{"max_completion_tokens":4097}"#, true),
        (r#"{"max_output_tokens":4097}"#, true),
        (r#"{"max_tokens":1,"max_output_tokens":4097}"#, true),
        (r#"{"max_tokens":4097,"max_completion_tokens":null}"#, true),
        (r#"{"max_tokens":9007199254740992}"#, true),
        (r#"{"max_tokens":4096}"#, false),
        (
            r#"{"max_tokens":4096.0,"max_completion_tokens":4096}"#,
            false,
        ),
        (r#"{"max_tokens":0}"#, false),
        (r#"{"max_tokens":null}"#, false),
        (r#"{"n":1000000}"#, false),
        (r#"{"a":{"max_tokens":4097}}"#, false),
        ("{}", false),
    ] {
        for api in APIS {
            let wish = read(body, api).unwrap();
            assert_eq!(wish.exceeds(4096), expected, "{body} {api:?}");
        }
    }
    assert!(read(r#"{"max_tokens":1}"#, Api::Chat).unwrap().exceeds(0));
    assert!(!read(r#"{"max_tokens":0}"#, Api::Chat).unwrap().exceeds(0));
}

#[test]
fn the_largest_maximum_counts_for_each_answer() {
    for (body, expected) in [
        ("{}", 100),
        (r#"{"max_tokens":null}"#, 100),
        (r#"{"max_tokens":7}"#, 7),
        (r#"{"max_tokens":0}"#, 0),
        (r#"{"max_output_tokens":500}"#, 500),
        (
            r#"{"max_tokens":7,"max_completion_tokens":9,"max_output_tokens":8}"#,
            9,
        ),
        (r#"{"max_tokens":9,"max_completion_tokens":7}"#, 9),
        (r#"{"max_tokens":7,"n":3}"#, 21),
        (r#"{"max_tokens":7,"n":3,"best_of":5}"#, 35),
        (r#"{"max_tokens":7,"n":5,"best_of":3}"#, 35),
        (r#"{"n":2}"#, 200),
        (r#"{"best_of":null,"n":null}"#, 100),
    ] {
        for api in [Api::Chat, Api::Completions, Api::Messages, Api::Responses] {
            assert_eq!(
                read(body, api).unwrap().tokens(100),
                expected,
                "{body} {api:?}"
            );
        }
        assert_eq!(
            read(body, Api::Embeddings).unwrap().tokens(100),
            0,
            "{body}"
        );
    }
}

#[test]
fn a_completion_is_for_each_of_its_prompts() {
    for (prompt, expected) in [
        ("\"one\"", 1),
        ("null", 1),
        ("[1,2,3]", 1),
        ("[1]", 1),
        ("[]", 1),
        ("[\"a\"]", 1),
        ("[\"a\",\"b\",\"c\"]", 3),
        ("[[1,2],[3],[4,5,6],[7]]", 4),
        ("[[1,2]]", 1),
        ("[1,\"a\"]", 2),
        ("[\"a\",[1]]", 2),
        ("[null,null]", 2),
        ("{\"id\":\"p\"}", 1),
    ] {
        let body = format!(r#"{{"prompt":{prompt},"max_tokens":10,"n":2}}"#);
        for (api, prompts) in [
            (Api::Completions, expected),
            (Api::Chat, 1),
            (Api::Messages, 1),
            (Api::Responses, 1),
            (Api::Embeddings, 0),
        ] {
            let tokens = read(&body, api).unwrap().tokens(5);
            assert_eq!(tokens, 20 * prompts, "{body} {api:?}");
        }
    }
}

#[test]
fn products_do_not_overflow() {
    let most = 1_u64 << 53;
    let body = format!(r#"{{"max_tokens":{most},"n":{most},"prompt":["a","b"]}}"#);
    for api in [Api::Chat, Api::Completions] {
        assert_eq!(read(&body, api).unwrap().tokens(1), u64::MAX);
    }
    let body = format!(r#"{{"best_of":{most}}}"#);
    assert_eq!(read(&body, Api::Chat).unwrap().tokens(u64::MAX), u64::MAX);
}
