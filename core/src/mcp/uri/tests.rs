use super::*;

#[test]
fn a_uri_without_dot_segments_has_one_reading() {
    for uri in [
        "docs://guide",
        "docs://guide/a.b/c..d/.hidden/...",
        "docs://guide/%2Ehidden/a%20b/%E9",
        "docs://guide/100%",
        "docs://guide/%zz%",
        "docs://gu\u{ef}de/\u{e0}\u{800}\u{10000}",
        "docs://guide?x=../../\\%5C",
        "urn:isbn:1",
        "file:///a/b",
        "note:",
        "",
    ] {
        assert!(is_unambiguous(uri), "{uri}");
    }
}

#[test]
fn dot_segments_and_backslashes_in_any_spelling_are_found() {
    for uri in [
        "..",
        ".",
        "docs:..",
        "docs:../secret",
        "docs://public/../secret",
        "docs://public/..",
        "docs://public/./x",
        "docs://public/..?x",
        "docs://public/..#x",
        "docs://public/#/../x",
        "docs://public/%2e%2E/secret",
        "docs://public/.%2e/secret",
        "docs://public%2f..%2fsecret",
        "docs://public/%252e%252e/secret",
        "docs://public/%25252e%25252e/secret",
        "docs://public/%%32e%%32e/secret",
        "docs://public/%2%65./secret",
        "docs://public/..%3Fx",
        "docs://public/..%23x",
        "docs://public/..;a/secret",
        "docs://public/..%3b/secret",
        "docs://public/..%00/secret",
        // What drops tabs and line breaks finds `..`.
        "docs://public/.\t./secret",
        "docs://public/.\n./secret",
        "docs://public/..\r/secret",
        "docs://public/a%09b",
        "docs%3A..",
        "docs://../secret",
        "docs://public\\..\\secret",
        "docs://public\\x",
        "docs://public%5Cx",
        "docs://public%5cx",
        "docs://public%255Cx",
        "docs://public/%C0%AE%C0%AE/secret",
        "docs://public/%e0%80%ae%e0%80%ae/secret",
        "docs://public/%25C1%259C/secret",
    ] {
        assert!(!is_unambiguous(uri), "{uri}");
    }
}

/// Decoded one layer at a time, it takes as many passes as it has layers.
#[test]
fn an_escape_of_many_layers_is_decoded_in_one_pass() {
    let layers = "25".repeat(30_000);
    assert!(!is_unambiguous(&format!("docs://a/%{layers}2e.")));
    assert!(is_unambiguous(&format!("docs://a/%{layers}2ex")));
}
