#![allow(clippy::arithmetic_side_effects)]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::*;
use crate::keys::{Algorithm, Candidates, KeySet, Origin};
use crate::limits::STATUS_LIST_BYTES;
use crate::policy::callout::Fallback;
use crate::policy::endpoint::Endpoint;

const URI: &str = "https://idp.example.com/status/1";
const NOW: i64 = 1_700_000_000;
const TOLERANCE: Duration = Duration::from_secs(30);

fn key() -> KeyId {
    // RFC 8037, appendix A.
    let set = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let (set, _) = KeySet::parse(set, Origin::Inline).expect("a key");
    match set.candidates(Algorithm::parse("EdDSA").expect("an algorithm"), None) {
        Candidates::Keys(mut keys) => keys.next().expect("a key").id(),
        other => panic!("{other:?}"),
    }
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn token(header: &str, claims: &str) -> String {
    let [header, claims] = [header, claims].map(|text| encoded(text.as_bytes()));
    format!("{header}.{claims}.AAAA")
}

const HEADER: &str = r#"{"alg":"EdDSA","typ":"statuslist+jwt"}"#;

/// Claims of a good list, with these in the place of `rest`.
fn claims(bits: &str, lst: &str, rest: &str) -> String {
    format!(r#"{{"sub":"{URI}","iat":{NOW}{rest},"status_list":{{"bits":{bits},"lst":"{lst}"}}}}"#)
}

fn open_at(claims: &str, now: UnixTime) -> Result<StatusList, InvalidStatusList> {
    let token = token(HEADER, claims);
    StatusListToken::parse(token.as_bytes())?.open(URI, key(), TOLERANCE, now)
}

fn open(claims: &str) -> Result<StatusList, InvalidStatusList> {
    open_at(claims, UnixTime::from_secs(NOW))
}

fn list(bits: u8, bytes: &[u8]) -> StatusList {
    open(&claims(&bits.to_string(), &encoded(&zlib(bytes)), "")).expect("a list")
}

fn statuses_of(list: &StatusList, count: u64) -> Vec<u8> {
    (0..count)
        .map(|index| list.status(index).expect("on the list"))
        .collect()
}

// === statuses ===

/// Draft §4.1: the examples of one bit and of two, as bytes and as the draft encodes them.
#[test]
fn the_examples_of_the_draft() {
    let one_bit = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1];
    let two_bits = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3];
    let encoded = |bits, lst| open(&claims(bits, lst, "")).expect("a list");
    for list in [encoded("1", "eNrbuRgAAhcBXQ"), list(1, &[0xb9, 0xa3])] {
        assert_eq!(statuses_of(&list, 16), one_bit);
        assert_eq!(list.status(16), Err(OutOfRange));
    }
    for list in [
        encoded("2", "eNo76fITAAPfAgc"),
        list(2, &[0xc9, 0x44, 0xf9]),
    ] {
        assert_eq!(statuses_of(&list, 12), two_bits);
        assert_eq!(list.status(12), Err(OutOfRange));
    }
}

#[test]
fn the_first_status_is_in_the_lowest_bits() {
    let bytes = [0b1110_0100, 0x2f];
    let expected: [(u8, &[u8]); 4] = [
        (1, &[0, 0, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 0]),
        (2, &[0, 1, 2, 3, 3, 3, 2, 0]),
        (4, &[4, 14, 15, 2]),
        (8, &[0b1110_0100, 0x2f]),
    ];
    for (bits, statuses) in expected {
        let list = list(bits, &bytes);
        let count = statuses.len() as u64;
        assert_eq!(statuses_of(&list, count), statuses, "{bits} bits");
        for beyond in [count, count + 1, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(list.status(beyond), Err(OutOfRange), "{bits} bits");
        }
        assert_eq!(list.bytes(), 2);
    }
}

#[test]
fn an_empty_list_has_no_status() {
    for bits in [1, 2, 4, 8] {
        assert_eq!(list(bits, &[]).status(0), Err(OutOfRange));
    }
}

// === compression ===

#[test]
fn what_is_not_one_whole_zlib_stream_is_no_list() {
    let good = zlib(&[1, 2, 3]);
    let mut damaged = good.clone();
    // The checksum.
    *damaged.last_mut().expect("a byte") ^= 1;
    let raw = &good[2..good.len() - 4];
    let gzip = [
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    for (what, bytes) in [
        ("nothing", &[][..]),
        ("a wrong checksum", &damaged),
        ("no checksum", &good[..good.len() - 4]),
        ("broken off", &good[..4]),
        ("trailing garbage", &[&good[..], &[0]].concat()),
        ("two streams", &[&good[..], &good[..]].concat()),
        ("raw deflate", raw),
        ("gzip", &gzip),
        ("not compressed", &[1, 2, 3]),
    ] {
        assert_eq!(inflate(bytes), Err(Corrupt::Data), "{what}");
        let found = open(&claims("1", &encoded(bytes), "")).err();
        assert_eq!(found, Some(InvalidStatusList::Compression), "{what}");
    }
    assert_eq!(inflate(&good).as_deref(), Ok(&[1, 2, 3][..]));
}

#[test]
fn a_list_has_its_bound_however_small_it_is_packed() {
    for length in [0, 1, 4095, 4096, 4097, 100_000, STATUS_LIST_BYTES] {
        let bytes = vec![0x5a; length];
        let inflated = inflate(&zlib(&bytes)).expect("within the bound");
        assert!(*inflated == *bytes, "{length} bytes");
    }
    // What does not compress at all.
    let noise: Vec<u8> = (0..STATUS_LIST_BYTES as u32)
        .map(|n| (n.wrapping_mul(0x9e37_79b9) >> 24) as u8)
        .collect();
    assert!(inflate(&zlib(&noise)).is_ok_and(|inflated| *inflated == *noise));
    for length in [STATUS_LIST_BYTES + 1, 64 * STATUS_LIST_BYTES] {
        let bomb = zlib(&vec![0; length]);
        assert_eq!(inflate(&bomb), Err(Corrupt::TooLarge), "{length} bytes");
        let found = open(&claims("1", &encoded(&bomb), "")).err();
        assert_eq!(found, Some(InvalidStatusList::TooLarge));
    }
}

// === the token around it ===

#[test]
fn a_list_is_told_from_any_other_token() {
    let good = claims("1", &encoded(&zlib(&[0])), "");
    let read = |header: &str| {
        let token = token(header, &good);
        StatusListToken::parse(token.as_bytes()).err()
    };
    for header in [
        HEADER,
        r#"{"alg":"EdDSA","typ":"application/statuslist+jwt","kid":"k"}"#,
        r#"{"alg":"EdDSA","typ":"StatusList+JWT"}"#,
    ] {
        assert_eq!(read(header), None, "{header}");
    }
    for header in [
        r#"{"alg":"EdDSA"}"#,
        r#"{"alg":"EdDSA","typ":"JWT"}"#,
        r#"{"alg":"EdDSA","typ":"at+jwt"}"#,
        r#"{"alg":"EdDSA","typ":"statuslist+cwt"}"#,
        r#"{"alg":"EdDSA","typ":"statuslist"}"#,
        r#"{"alg":"EdDSA","typ":""}"#,
    ] {
        assert_eq!(read(header), Some(InvalidStatusList::Type), "{header}");
    }
    for header in [
        r#"{"alg":"none","typ":"statuslist+jwt"}"#,
        r#"{"alg":"XS1","typ":"statuslist+jwt"}"#,
    ] {
        let found = read(header);
        assert_eq!(
            found,
            Some(InvalidStatusList::UnsupportedAlgorithm),
            "{header}"
        );
    }
    for extension in [r#""crit":["x"]"#, r#""b64":true"#] {
        let header = format!(r#"{{"alg":"EdDSA","typ":"statuslist+jwt",{extension}}}"#);
        assert_eq!(read(&header), Some(InvalidStatusList::Extension));
    }
    let whole = token(HEADER, &good);
    let (unsigned, _) = whole.rsplit_once('.').expect("three segments");
    for text in ["", "rubbish", "{}", unsigned, &format!("{whole} ")] {
        let found = StatusListToken::parse(text.as_bytes()).err();
        assert_eq!(found, Some(InvalidStatusList::Malformed), "{text}");
    }
    let mut long = whole.into_bytes();
    long.resize(STATUS_LIST_TOKEN_BYTES, b'A');
    assert!(StatusListToken::parse(&long).is_ok());
    long.push(b'A');
    let found = StatusListToken::parse(&long).err();
    assert_eq!(found, Some(InvalidStatusList::TooLarge));
}

#[test]
fn a_list_says_what_it_is() {
    use InvalidStatusList::{Claim, Malformed, Subject};
    let lst = encoded(&zlib(&[0]));
    let with = |sub: &str, iat: &str, list: &str| {
        let members: Vec<String> = [("sub", sub), ("iat", iat), ("status_list", list)]
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!(r#""{name}":{value}"#))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    let uri = format!(r#""{URI}""#);
    let of = |bits: &str, lst: &str| with(&uri, "1", &format!(r#"{{"bits":{bits},"lst":{lst}}}"#));
    let lst = format!(r#""{lst}""#);
    let list = format!(r#"{{"bits":1,"lst":{lst}}}"#);
    let padded = format!(r#""{}==""#, lst.trim_matches('"'));
    assert!(open(&with(&uri, "1", &list)).is_ok());
    for (text, fault) in [
        ("7".to_owned(), Malformed),
        (r#"{"sub":"a","sub":"a"}"#.to_owned(), Malformed),
        (with("", "1", &list), Claim("sub")),
        (with("7", "1", &list), Claim("sub")),
        (
            with(r#""https://idp.example.com/status/2""#, "1", &list),
            Subject,
        ),
        (
            with(r#""https://IDP.example.com/status/1""#, "1", &list),
            Subject,
        ),
        (with(r#""""#, "1", &list), Subject),
        (with(&uri, "", &list), Claim("iat")),
        (with(&uri, "null", &list), Claim("iat")),
        (with(&uri, r#""1""#, &list), Claim("iat")),
        (with(&uri, "1e300", &list), Claim("iat")),
        (with(&uri, "1", ""), Claim("status_list")),
        (with(&uri, "1", "[]"), Claim("status_list")),
        (with(&uri, "1", r#"{}"#), Claim("bits")),
        (of("0", &lst), Claim("bits")),
        (of("3", &lst), Claim("bits")),
        (of("16", &lst), Claim("bits")),
        (of("-1", &lst), Claim("bits")),
        (of("1.0", &lst), Claim("bits")),
        (of(r#""1""#, &lst), Claim("bits")),
        (with(&uri, "1", r#"{"bits":1}"#), Claim("lst")),
        (of("1", "7"), Claim("lst")),
        (of("1", r#""*""#), Claim("lst")),
        (of("1", &padded), Claim("lst")),
    ] {
        assert_eq!(open(&text).err(), Some(fault), "{text}");
    }
}

#[test]
fn a_list_is_believed_until_it_ends_or_its_time_to_live_is_up() {
    let lst = encoded(&zlib(&[0]));
    let day = 24 * 3600;
    // How long from now on; `None` where it has ended.
    for (rest, lives) in [
        ("", Some(300)),
        (r#","ttl":60"#, Some(60)),
        (r#","ttl":0.5"#, Some(0)),
        (r#","ttl":1e300"#, Some(day)),
        (r#","ttl":43200"#, Some(day / 2)),
        (r#","ttl":86401"#, Some(day)),
        (r#","exp":1700000100"#, Some(130)),
        (r#","exp":1700000100,"ttl":60"#, Some(60)),
        (r#","exp":1700000100,"ttl":600"#, Some(130)),
        (r#","exp":1700900000"#, Some(300)),
        (r#","exp":1699999971"#, Some(1)),
        (r#","exp":1699999970"#, None),
        (r#","exp":-1"#, None),
    ] {
        let found = open(&claims("1", &lst, rest)).map(|list| list.expires.as_secs() - NOW);
        assert_eq!(found, lives.ok_or(InvalidStatusList::Expired), "{rest}");
    }
    for (rest, claim) in [
        (r#","ttl":0"#, "ttl"),
        (r#","ttl":-1"#, "ttl"),
        (r#","ttl":"60""#, "ttl"),
        (r#","ttl":null"#, "ttl"),
        (r#","exp":"1700000100""#, "exp"),
        (r#","exp":null"#, "exp"),
        (r#","exp":1e300"#, "exp"),
    ] {
        let found = open(&claims("1", &lst, rest)).err();
        assert_eq!(found, Some(InvalidStatusList::Claim(claim)), "{rest}");
    }
}

// === references ===

fn lists() -> StatusLists {
    StatusLists {
        uri_prefix: "https://idp.example.com/status/".into(),
        endpoint: Endpoint {
            cluster: "idp".into(),
            scheme: "https".into(),
            authority: "idp.example.com".into(),
            path: "/status/".into(),
            authorization: None,
            timeout: Duration::from_secs(1),
        },
        required: true,
        on_unavailable: Fallback::Deny,
    }
}

fn reference(claims: &str) -> Result<Option<Reference>, InvalidReference> {
    let claims = json::parse_object(claims.as_bytes()).expect("claims");
    Reference::of(&claims, &lists())
}

#[test]
fn a_token_names_its_place() {
    for index in [0, 7, u64::MAX] {
        let claims = format!(r#"{{"status":{{"status_list":{{"uri":"{URI}","idx":{index}}}}}}}"#);
        let found = reference(&claims)
            .expect("a valid claim")
            .expect("a reference");
        assert_eq!((&*found.uri, found.index), (URI, index));
        assert_eq!(found.path(&lists()), "/status/1");
    }
    for claims in ["{}", r#"{"status":{}}"#, r#"{"status":{"other":7}}"#] {
        assert_eq!(reference(claims), Ok(None), "{claims}");
    }
    for status in [
        "7",
        "null",
        r#"{"status_list":7}"#,
        r#"{"status_list":null}"#,
        r#"{"status_list":{}}"#,
        r#"{"status_list":{"idx":1}}"#,
        r#"{"status_list":{"uri":"https://idp.example.com/status/1"}}"#,
        r#"{"status_list":{"uri":7,"idx":1}}"#,
        r#"{"status_list":{"uri":"https://idp.example.com/status/1","idx":"1"}}"#,
        r#"{"status_list":{"uri":"https://idp.example.com/status/1","idx":-1}}"#,
        r#"{"status_list":{"uri":"https://idp.example.com/status/1","idx":1.5}}"#,
        r#"{"status_list":{"uri":"https://idp.example.com/status/1","idx":18446744073709551616}}"#,
    ] {
        let found = reference(&format!(r#"{{"status":{status}}}"#));
        assert_eq!(found, Err(InvalidReference::Malformed), "{status}");
    }
}

#[test]
fn a_token_leads_to_its_providers_lists_alone() {
    let lists = lists();
    for rest in ["", "1", "a/b", "a;b=c", "1,2", "...", "a:b@c"] {
        let uri = format!("{}{rest}", lists.uri_prefix);
        assert!(lists.contain(&uri), "{uri}");
    }
    for uri in [
        "",
        "https://idp.example.com/status",
        "https://idp.example.com/statuses/1",
        "http://idp.example.com/status/1",
        "https://IDP.example.com/status/1",
        "https://evil.example.com/status/1",
        "https://idp.example.com@evil.example.com/status/1",
        "https://idp.example.com/status/../admin",
        "https://idp.example.com/status/a/./b",
        "https://idp.example.com/status/a/..",
        "https://idp.example.com/status/%2e%2e/admin",
        "https://idp.example.com/status/1?x=y",
        "https://idp.example.com/status/1#x",
        "https://idp.example.com/status/a b",
        "https://idp.example.com/status/a\\b",
        "https://idp.example.com/status/a\r\nhost: x",
        "https://idp.example.com/status/\u{e9}",
    ] {
        assert!(!lists.contain(uri), "{uri:?}");
    }
}
