use super::*;

#[test]
fn equal_origins_have_one_form() {
    for (text, expected) in [
        ("https://app.example.com", "https://app.example.com"),
        ("HTTPS://App.Example.COM", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("http://app.example.com:80", "http://app.example.com"),
        ("http://app.example.com:443", "http://app.example.com:443"),
        (
            "https://app.example.com:08443",
            "https://app.example.com:8443",
        ),
        ("http://localhost:6274", "http://localhost:6274"),
        ("http://[::1]", "http://[::1]"),
        ("https://[2001:DB8::1]:443", "https://[2001:db8::1]"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("vscode-webview://1ab2", "vscode-webview://1ab2"),
    ] {
        let origin = Origin::parse(text.as_bytes()).expect(text);
        assert_eq!(origin.as_str(), expected);
    }
}

#[test]
fn what_is_more_or_less_than_an_origin_is_none() {
    for text in [
        "",
        "null",
        "*",
        "app.example.com",
        "//app.example.com",
        "://app.example.com",
        "1https://app.example.com",
        "ht tps://app.example.com",
        "https:/app.example.com",
        "https://",
        "https://:443",
        "https://app.example.com/",
        "https://app.example.com/x",
        "https://app.example.com?x",
        "https://app.example.com#x",
        "https://user@app.example.com",
        "https://app.example.com:",
        "https://app.example.com:x",
        "https://app.example.com:65536",
        "https://app.example.com:+443",
        "https://app.example.com.",
        "https://app.example.com, https://evil.example",
        "https://app.example.com,https://evil.example",
        "https://app.example.com https://evil.example",
        " https://app.example.com",
        "https://app.example.com ",
        "https://*.example.com",
        "https://[0:0:0:0:0:0:0:1]",
        "https://https://app.example.com",
    ] {
        assert_eq!(Origin::parse(text.as_bytes()), None, "{text}");
    }
    assert_eq!(Origin::parse(b"https://app.example.\xff"), None);
}

#[test]
fn an_origin_is_at_the_requests_host_and_port() {
    for (origin, authority, same) in [
        ("https://a.example.com", "a.example.com", true),
        ("https://a.example.com", "A.example.com", true),
        ("https://a.example.com", "a.example.com:443", true),
        ("https://a.example.com:443", "a.example.com", true),
        ("http://a.example.com", "a.example.com:80", true),
        ("http://a.example.com:8080", "a.example.com:8080", true),
        ("https://[2001:db8::1]", "[2001:db8::1]:443", true),
        // Another port is another server, whoever runs it.
        ("http://a.example.com:3000", "a.example.com", false),
        ("http://a.example.com", "a.example.com:8080", false),
        ("http://a.example.com", "a.example.com:443", false),
        ("https://a.example.com", "a.example.com:80", false),
        ("https://b.example.com", "a.example.com", false),
        ("https://[2001:db8::2]", "[2001:db8::1]", false),
        // No page of this host, but an extension of that name.
        ("chrome-extension://abcdef", "abcdef", false),
    ] {
        let found = Origin::parse(origin.as_bytes()).expect(origin);
        assert_eq!(
            found.is_at(authority.as_bytes()),
            same,
            "{origin} {authority}"
        );
    }
}
