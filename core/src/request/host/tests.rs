use super::*;

fn read(authority: &str) -> Result<String, HostFault> {
    Host::parse(authority.as_bytes()).map(|h| h.as_str().into())
}

#[test]
fn an_authority_that_names_no_one_host_is_refused() {
    use HostFault::*;
    for (authority, fault) in [
        ("", Empty),
        (":", Port),
        ("a.example:", Port),
        ("[::1]:", Port),
        ("a.example.", Spelling),
        ("A.Example.:65535", Spelling),
        ("a.example.:", Port),
        ("a.example.:80.", Port),
        ("192.0.2.1.:00080", Spelling),
        ("[0:0:0:0:0:0:0:1]:8080", Spelling),
        ("[0::1]", Spelling),
        ("[::0001]", Spelling),
        ("[::0.0.0.1]", Spelling),
        ("[2001:db8:0:0::a]", Spelling),
        ("[::ffff:c000:201]", Spelling),
        (":80", Empty),
        (".", Label),
        (".:80", Label),
        ("..", Label),
        ("a.example..", Label),
        ("a..example", Label),
        (".a.example", Label),
        ("a.example,b.example", Character),
        ("a.example, b.example", Character),
        (",", Character),
        ("user@a.example", Character),
        ("@a.example", Character),
        ("user:secret@a.example", Port),
        ("a.example:80@b.example", Port),
        (" a.example", Character),
        ("a.example ", Character),
        ("a.example\t", Character),
        ("a.example :80", Character),
        ("a.example\0", Character),
        ("a.example\r\n", Character),
        ("a.example/b", Character),
        ("a.example?b", Character),
        ("a.example#b", Character),
        ("a.example\\b", Character),
        ("http://a.example", Port),
        ("%61.example", Character),
        ("a.example%00", Character),
        ("*.example", Character),
        ("a.example;b", Character),
        ("\u{e4}.example", Character),
        ("a.example:80:80", Character),
        ("a:b:80", Character),
        ("::1", Character),
        ("2001:db8::1", Character),
        ("::1]", Character),
        ("a.example:http", Port),
        ("a.example:-1", Port),
        ("a.example:+80", Port),
        ("a.example: 80", Port),
        ("a.example:80 ", Port),
        ("a.example:65536", Port),
        ("a.example:99999999999999999999", Port),
        ("[]", Address),
        ("[", Address),
        ("[::1", Address),
        ("[::1]]", Address),
        ("[[::1]]", Address),
        ("[::1].", Port),
        ("[::1].:80", Address),
        ("[::1]80", Port),
        ("[::1]:80:80", Address),
        ("[::1]:http", Port),
        ("[fe80::1%25eth0]", Address),
        ("[v1.a]", Address),
        ("[127.0.0.1]", Address),
        ("[a.example]", Address),
        ("[::1],[::2]", Address),
    ] {
        assert_eq!(read(authority), Err(fault), "{authority}");
    }
    assert_eq!(Host::parse(b"a\xff.example"), Err(Character));
}

#[test]
fn case_and_port_do_not_count() {
    for (authority, host) in [
        ("a.example", "a.example"),
        ("A.EXAMPLE", "a.example"),
        ("a.example:443", "a.example"),
        ("a.example:0080", "a.example"),
        ("A.Example:65535", "a.example"),
        ("localhost", "localhost"),
        ("svc_a.ns.svc.cluster.local", "svc_a.ns.svc.cluster.local"),
        ("127.0.0.1:8080", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("[::1]:8080", "[::1]"),
        ("[2001:DB8::A]", "[2001:db8::a]"),
        ("[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]"),
    ] {
        assert_eq!(read(authority).as_deref(), Ok(host), "{authority}");
    }
}

#[test]
fn a_host_is_no_longer_than_dns_allows() {
    let name = |labels: usize| "a.".repeat(labels - 1) + "a";
    assert!(read(&name(127)).is_ok());
    assert_eq!(read(&name(128)), Err(HostFault::Length));
    assert_eq!(read(&name(500_000)), Err(HostFault::Length));
    assert_eq!(read(&"a".repeat(1_000_000)), Err(HostFault::Length));
    let colons = ":".repeat(1_000_000);
    assert_eq!(read(&colons), Err(HostFault::Port));
    assert_eq!(read(&format!("[{colons}]")), Err(HostFault::Address));
}

#[test]
fn operators_may_spell_a_host_as_they_like() {
    for (text, host) in [
        ("A.Example.", "a.example"),
        ("[0:0:0:0:0:0:0:1]", "[::1]"),
        ("[2001:DB8:0::A]", "[2001:db8::a]"),
    ] {
        assert_eq!(Host::configured(text).unwrap().as_str(), host);
    }
    assert_eq!(Host::configured("a.example.."), Err(HostFault::Label));
}
