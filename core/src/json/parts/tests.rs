#![allow(clippy::single_range_in_vec_init)]

use super::*;

#[test]
fn a_member_is_what_stands_behind_its_name() {
    for (object, expected) in [
        (r#"{"id":1}"#, Some("1")),
        (" {\t\"a\" : 2 ,\r\n \"id\" : \"x y\" } ", Some("\"x y\"")),
        (r#"{"\u0069d":[1, {"id":2}]}"#, Some(r#"[1, {"id":2}]"#)),
        (r#"{"id":-1.50e+2}"#, Some("-1.50e+2")),
        (r#"{"id":"\u00e9é"}"#, Some(r#""\u00e9é""#)),
        (r#"{"a":{"id":1}}"#, None),
        (r#"{"ID":1}"#, None),
        ("{}", None),
        (r#"["id"]"#, None),
        (r#"{"id":1"#, None),
        ("", None),
    ] {
        assert_eq!(member(object, "id"), expected, "{object}");
    }
}

#[test]
fn elements_are_what_stands_between_the_commas() {
    for (array, expected) in [
        ("[]", Some(&[][..])),
        (" [ ] ", Some(&[])),
        (
            r#"[1 , "a,b]" ,{"c":[2, 3]},null]"#,
            Some(&["1", r#""a,b]""#, r#"{"c":[2, 3]}"#, "null"]),
        ),
        (r#"{"a":1}"#, None),
        ("[1,]", None),
        ("[1] 2", None),
    ] {
        assert_eq!(elements(array).as_deref(), expected, "{array}");
    }
}

#[test]
fn a_part_is_found_where_it_stands_and_not_where_its_like_does() {
    let whole = "[7, 7, 7]";
    let elements = elements(whole).expect("an array");
    let ranges: Vec<_> = elements.iter().map(|part| range(part, whole)).collect();
    assert_eq!(ranges, [Some(1..2), Some(4..5), Some(7..8)]);
    assert_eq!(range(whole, whole), Some(0..9));
    let (first, second) = whole.split_at(4);
    assert_eq!(range(first, second), None);
    assert_eq!(range(second, first), None);
}

#[test]
fn what_is_cut_out_is_gone_and_nothing_else() {
    for (parts, expected) in [
        (&[][..], "abcdef"),
        (&[0..1], "bcdef"),
        (&[5..6], "abcde"),
        (&[1..2, 2..3, 4..6], "ad"),
        (&[0..6], ""),
        (&[3..3], "abcdef"),
    ] {
        assert_eq!(without(b"abcdef", parts), expected.as_bytes(), "{parts:?}");
    }
}
