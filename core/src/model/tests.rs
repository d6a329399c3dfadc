use super::*;

fn parse(body: &str) -> Result<ModelBody<'_>, MalformedBody> {
    ModelBody::parse(body.as_bytes())
}

#[test]
fn a_body_is_one_object_that_has_one_reading() {
    for body in [
        "",
        " ",
        "null",
        "true",
        "1",
        "\"model\"",
        "[]",
        r#"[{"model":"m"}]"#,
        "{",
        "}",
        r#"{"model":"m""#,
        r#"{"model":"m",}"#,
        r#"{,"model":"m"}"#,
        r#"{"model" "m"}"#,
        r#"{model:"m"}"#,
        r#"{'model':'m'}"#,
        r#"{"model":m}"#,
        r#"{"model":"m"}{}"#,
        r#"{"model":"m"}x"#,
        r#"{"model":"m"},"#,
        "{\"model\":\"m\"}\0",
        "\0{\"model\":\"m\"}",
        "{\"model\":\"m\0\"}",
        "{\"model\":\"m\n\"}",
        "\u{feff}{\"model\":\"m\"}",
        "{\u{a0}\"model\":\"m\"}",
        "{\u{c}\"model\":\"m\"}",
        "{\"model\":\"m\"/**/}",
        "{\"model\":\"m\"}//",
        r#"{"model":"m","model":"m"}"#,
        r#"{"model":"m","\u006dodel":"n"}"#,
        r#"{"model":"m","a":{"b":1,"b":1}}"#,
        r#"{"model":"m","a":[[{"b":1,"c":2,"b":3}]]}"#,
        r#"{"model":"m","stream_options":{"include_usage":true,"include_usage":false}}"#,
        r#"{"model":"m","":1,"":2}"#,
        r#"{"model":"\ud800"}"#,
        r#"{"model":"\udc00"}"#,
        r#"{"model":"\ud800\ud800"}"#,
        r#"{"\ud800":1,"model":"m"}"#,
        r#"{"model":"\x"}"#,
        r#"{"model":"\u12"}"#,
        r#"{"model":"m","a":1e400}"#,
        r#"{"model":"m","a":-1e400}"#,
        r#"{"model":"m","a":NaN}"#,
        r#"{"model":"m","a":Infinity}"#,
        r#"{"model":"m","a":01}"#,
        r#"{"model":"m","a":+1}"#,
        r#"{"model":"m","a":.5}"#,
        r#"{"model":"m","a":1.}"#,
        r#"{"model":"m","a":0x10}"#,
        // Servers that do not tell upper from lower case read the second one.
        r#"{"model":"m","Model":"n"}"#,
        r#"{"Model":"n","model":"m"}"#,
        r#"{"model":"m","MAX_TOKENS":1000000}"#,
        r#"{"model":"m","max_to\u212aens":1000000}"#,
        r#"{"model":"m","Messages":[]}"#,
        r#"{"model":"m","stream_options":{"Include_Usage":false}}"#,
        "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--b--\r\n",
        "model=m&prompt=a",
        "data: {\"model\":\"m\"}\n\n",
    ] {
        assert_eq!(parse(body).unwrap_err(), MalformedBody, "{body}");
    }
    for body in [
        &b"{\"model\":\"\xff\"}"[..],
        b"{\"model\":\"\xc3\"}",
        b"{\"model\":\"\xed\xa0\x80\"}",
        b"{\"model\":\"\xc0\xaf\"}",
        b"\xff\xfe{\0}\0",
        b"\x1f\x8b\x08\0",
    ] {
        assert_eq!(
            ModelBody::parse(body).unwrap_err(),
            MalformedBody,
            "{body:?}"
        );
    }
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"model":"m","input":{open}{close}}}"#)
    };
    assert!(parse(&nested(126)).is_ok());
    for depth in [127, 128, 1000, 100_000] {
        assert_eq!(parse(&nested(depth)).unwrap_err(), MalformedBody, "{depth}");
    }
}

#[test]
fn a_model_is_a_string() {
    for (body, expected) in [
        (r#"{"model":"gpt-4o"}"#, Ok("gpt-4o")),
        (" \r\n\t{ \"model\" : \"gpt-4o\" }\r\n ", Ok("gpt-4o")),
        (r#"{"a":{"model":"no"},"model":"gpt-4o"}"#, Ok("gpt-4o")),
        (r#"{"\u006dodel":"gpt\u002d4o"}"#, Ok("gpt-4o")),
        (r#"{"model":"\ud83d\ude00"}"#, Ok("\u{1f600}")),
        (r#"{"model":"m\u0000"}"#, Ok("m\0")),
        (r#"{"model":""}"#, Ok("")),
        ("{}", Err(MalformedBody)),
        (r#"{"model":null}"#, Err(MalformedBody)),
        (r#"{"model":1}"#, Err(MalformedBody)),
        (r#"{"model":true}"#, Err(MalformedBody)),
        (r#"{"model":["gpt-4o"]}"#, Err(MalformedBody)),
        (r#"{"model":{"name":"gpt-4o"}}"#, Err(MalformedBody)),
        (r#"{"models":["gpt-4o"]}"#, Err(MalformedBody)),
        (r#"{"a":{"model":"gpt-4o"}}"#, Err(MalformedBody)),
        (r#"{"model ":"gpt-4o"}"#, Err(MalformedBody)),
    ] {
        assert_eq!(parse(body).unwrap().model(), expected, "{body}");
    }
}

#[test]
fn alternatives_are_lists_of_strings() {
    for (body, expected) in [
        ("{}", Ok(vec![])),
        (r#"{"models":[]}"#, Ok(vec![])),
        (r#"{"models":["a","b"]}"#, Ok(vec!["a", "b"])),
        (r#"{"fallbacks":["c"]}"#, Ok(vec!["c"])),
        (
            r#"{"fallbacks":["c"],"models":["a","a"]}"#,
            Ok(vec!["c", "a", "a"]),
        ),
        (r#"{"a":{"models":1}}"#, Ok(vec![])),
        (r#"{"models":null}"#, Err(MalformedBody)),
        (r#"{"models":"a"}"#, Err(MalformedBody)),
        (r#"{"models":{}}"#, Err(MalformedBody)),
        (r#"{"models":["a",1]}"#, Err(MalformedBody)),
        (r#"{"models":["a",null]}"#, Err(MalformedBody)),
        (r#"{"models":[["a"]]}"#, Err(MalformedBody)),
        (r#"{"fallbacks":"default"}"#, Err(MalformedBody)),
        (r#"{"fallbacks":[{"model":"a"}]}"#, Err(MalformedBody)),
        (r#"{"models":["a"],"fallbacks":false}"#, Err(MalformedBody)),
    ] {
        assert_eq!(parse(body).unwrap().alternatives(), expected, "{body}");
    }
}

#[test]
fn a_string_is_found_by_its_path() {
    let body = r#"{"metadata":{"category":"chat","a.b":"dot","n":1,"list":["x"],"":"empty"},"category":"top","esc":"\u0061"}"#;
    for (path, expected) in [
        (&["metadata", "category"][..], Some("chat")),
        (&["category"], Some("top")),
        (&["metadata", "a.b"], Some("dot")),
        (&["esc"], Some("a")),
        (&["metadata", ""], Some("empty")),
        (&["metadata"], None),
        (&["metadata", "n"], None),
        (&["metadata", "list"], None),
        (&["metadata", "list", "0"], None),
        (&["metadata", "category", "deeper"], None),
        (&["metadata", "Category"], None),
        (&["Metadata", "category"], None),
        (&["metadata", "missing"], None),
        (&["missing", "category"], None),
        (&["metadata", "a", "b"], None),
        (&[], None),
    ] {
        let path: Vec<Box<str>> = path.iter().map(|name| Box::from(*name)).collect();
        assert_eq!(parse(body).unwrap().string_at(&path), expected, "{path:?}");
    }
}

#[test]
fn what_may_run_in_the_background_is_refused() {
    for (value, expected) in [
        ("false", Ok(())),
        ("null", Ok(())),
        ("true", Err(MalformedBody)),
        ("1", Err(MalformedBody)),
        ("0", Err(MalformedBody)),
        ("\"true\"", Err(MalformedBody)),
        ("\"false\"", Err(MalformedBody)),
        ("{}", Err(MalformedBody)),
        ("[]", Err(MalformedBody)),
    ] {
        let body = format!(r#"{{"background":{value}}}"#);
        assert_eq!(parse(&body).unwrap().check_background(), expected, "{body}");
    }
    assert_eq!(parse("{}").unwrap().check_background(), Ok(()));
    let nested = parse(r#"{"a":{"background":true}}"#).unwrap();
    assert_eq!(nested.check_background(), Ok(()));
}

#[test]
fn only_a_stream_streams() {
    for (body, expected) in [
        (r#"{"stream":true}"#, true),
        (r#"{"stream":"true"}"#, true),
        (r#"{"stream":1}"#, true),
        (r#"{"stream":[]}"#, true),
        (r#"{"stream":false}"#, false),
        (r#"{"stream":null}"#, false),
        (r#"{"stream":0}"#, false),
        (r#"{"stream":-0.0}"#, false),
        (r#"{"a":{"stream":true}}"#, false),
        ("{}", false),
    ] {
        assert_eq!(parse(body).unwrap().streams(), expected, "{body}");
    }
}

fn estimate(body: &str, api: Api, unsaid: Unsaid) -> (u64, u64) {
    let body = parse(body).unwrap();
    let estimate = body.estimate(&body.output(api).unwrap(), &unsaid);
    (estimate.input, estimate.output)
}

#[test]
fn an_estimate_is_what_a_request_may_use() {
    let unsaid = Unsaid {
        bound: None,
        output_tokens: 1024,
        input_tokens: 0,
    };
    let bounded = Unsaid {
        bound: Some(64),
        ..unsaid
    };
    let referring = Unsaid {
        input_tokens: 500,
        ..unsaid
    };
    let (chat, completions, embeddings) = (Api::Chat, Api::Completions, Api::Embeddings);
    for (body, api, unsaid, expected) in [
        // Four bytes a token, rounded up: of the body as it came.
        ("{}", chat, unsaid, (1, 1024)),
        ("{ }", chat, unsaid, (1, 1024)),
        ("{  }", chat, unsaid, (1, 1024)),
        ("{   }", chat, unsaid, (2, 1024)),
        ("{}      ", chat, unsaid, (2, 1024)),
        (r#"{"a":"é"}"#, chat, unsaid, (3, 1024)),
        // What it names, else the bound, else the default.
        (r#"{"max_tokens":7}"#, chat, unsaid, (4, 7)),
        (r#"{"max_tokens":7}"#, chat, bounded, (4, 7)),
        (r#"{"max_tokens":null}"#, chat, bounded, (5, 64)),
        ("{}", chat, bounded, (1, 64)),
        (r#"{"n":3}"#, chat, bounded, (2, 192)),
        (r#"{"best_of":3}"#, completions, bounded, (4, 192)),
        (
            r#"{"prompt":["a","b"],"n":3}"#,
            completions,
            bounded,
            (7, 384),
        ),
        (r#"{"prompt":["a","b"],"n":3}"#, chat, bounded, (7, 192)),
        (r#"{"input":"a"}"#, embeddings, bounded, (4, 0)),
        (
            r#"{"input":"a","max_tokens":5}"#,
            embeddings,
            unsaid,
            (7, 0),
        ),
        // What is not in it counts once.
        ("{}", chat, referring, (1, 1024)),
        (r#"{"tools":[]}"#, chat, referring, (3, 1024)),
        (r#"{"tools":[{"type":"x"}]}"#, chat, referring, (506, 1024)),
        (
            r#"{"tools":[{"type":"x"}],"conversation":"c"}"#,
            chat,
            referring,
            (511, 1024),
        ),
        (r#"{"conversation":"c"}"#, chat, unsaid, (5, 1024)),
        (r#"{"prompt":"text"}"#, completions, referring, (5, 1024)),
        (
            r#"{"prompt":{"id":"p"}}"#,
            Api::Responses,
            referring,
            (506, 1024),
        ),
    ] {
        assert_eq!(estimate(body, api, unsaid), expected, "{body} {api:?}");
    }
    let most = Unsaid {
        bound: Some(u64::MAX),
        output_tokens: 0,
        input_tokens: u64::MAX,
    };
    let body = r#"{"conversation":"c","n":2}"#;
    assert_eq!(estimate(body, chat, most), (u64::MAX, u64::MAX));
}

#[test]
fn a_body_is_edited_or_goes_on_as_it_is() {
    let changes = Changes {
        bound: Some(("max_completion_tokens", 64)),
        include_usage: true,
    };
    let text = r#" {"model":"m","stream":true}"#;
    let body = parse(text).unwrap();
    let edited = body.edited(Api::Chat, &changes).unwrap().unwrap();
    let expected = r#" {"model":"m","stream":true,"max_completion_tokens":64,"stream_options":{"include_usage":true}}"#;
    assert_eq!(String::from_utf8(edited), Ok(expected.to_owned()));
    assert_eq!(
        parse(expected).unwrap().edited(Api::Chat, &changes),
        Ok(None)
    );
    assert_eq!(body.edited(Api::Chat, &Changes::default()), Ok(None));
    assert!(!body.refers_to_stored_state());
    assert_eq!(parse(r#"{"prompt":"p"}"#).unwrap().text(), "p");
}
