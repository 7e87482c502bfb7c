//! Which pages may connect.

use super::*;

fn pattern(text: &str) -> OriginPattern {
    text.parse().expect("a pattern")
}

#[test]
fn a_wildcard_stands_for_exactly_one_label() {
    let cases = [
        ("https://*.example.com", "https://a.example.com", true),
        ("https://*.example.com", "HTTPS://A.Example.COM", true),
        ("https://*.example.com", "https://a.example.com:443", true),
        ("https://*.example.com", "https://example.com", false),
        ("https://*.example.com", "https://.example.com", false),
        ("https://*.example.com", "https://a.b.example.com", false),
        ("https://*.example.com", "https://a.example.com.evil.com", false),
        ("https://*.example.com", "https://a-example.com", false),
        ("https://*.example.com", "http://a.example.com", false),
        ("https://*.example.com", "https://a.example.com:8443", false),
        ("https://*.example.com:8443", "https://a.example.com:8443", true),
        ("https://*.example.com:8443", "https://a.example.com", false),
    ];
    for (text, origin, matches) in cases {
        assert_eq!(pattern(text).matches(origin), matches, "{text} and {origin}");
    }
}

#[test]
fn an_exact_pattern_matches_itself_in_any_case_and_with_the_port_of_its_scheme() {
    let cases = [
        ("https://app.example.com", "https://app.example.com", true),
        ("https://App.Example.com:443", "https://app.example.com", true),
        ("https://app.example.com", "https://app.example.com:8443", false),
        ("https://app.example.com", "https://evil.example.com", false),
        ("https://app.example.com", "https://app.example.com.evil.com", false),
        ("https://app.example.com", "null", false),
        ("https://app.example.com", "", false),
        ("http://localhost:5173", "http://localhost:5173", true),
        ("http://localhost:5173", "http://localhost", false),
        ("http://localhost:*", "http://localhost:49152", true),
        ("http://localhost:*", "http://localhost", true),
        ("http://[0:0:0:0:0:0:0:1]:5173", "http://[::1]:5173", true),
        ("capacitor://localhost", "capacitor://localhost", true),
    ];
    for (text, origin, matches) in cases {
        assert_eq!(pattern(text).matches(origin), matches, "{text} and {origin}");
    }
}

#[test]
fn what_can_never_match_is_refused_with_what_to_write() {
    let cases = [
        ("app.example.com", "write `https://app.example.com`"),
        ("", "write `https://app.example.com`"),
        ("null", "write `https://app.example.com`"),
        ("https://", "write `https://app.example.com`"),
        ("https://app.example.com/", "without a slash"),
        ("https://app.example.com/path", "without a slash"),
        ("https://user@app.example.com", "no user"),
        ("wss://app.example.com", "`https` or `http`"),
        ("https://app.example.com:0", "1 to 65535"),
        ("https://app.example.com:99999", "1 to 65535"),
        ("https://a*.example.com", "`https://*.example.com`"),
        ("https://*.*.example.com", "`https://*.example.com`"),
        ("https://*", "`https://*.example.com`"),
        ("https://a..example.com", "its host is invalid"),
        ("https://b\u{fc}cher.example", "`xn--`"),
        ("http://[::g]", "IPv6"),
        ("1x://host", "scheme"),
    ];
    for (text, part) in cases {
        let error = text.parse::<OriginPattern>().expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    assert!(Origins::parse(&["*", "app.example.com"]).is_err(), "also beside a `*`");
}

#[test]
fn a_list_is_none_any_or_patterns() {
    assert_eq!(Origins::parse::<&str>(&[]), Ok(Origins::None));
    assert_eq!(Origins::parse(&["https://a.example", "*"]), Ok(Origins::Any));
    let listed = Origins::parse(&["https://a.example:443"]).expect("a list");
    assert_eq!(listed, Origins::Listed(vec![pattern("https://a.example")]));
}

#[test]
fn the_own_host_is_allowed_whatever_the_list() {
    let cases = [
        ("http://rt.example.com", "rt.example.com", true),
        ("https://rt.example.com", "rt.example.com", true),
        ("https://rt.example.com", "RT.example.com:443", true),
        ("http://rt.example.com:80", "rt.example.com", true),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", true),
        ("http://[::1]:8080", "[::1]:8080", true),
        ("https://rt.example.com:8443", "rt.example.com", false),
        ("https://rt.example.com", "rt.example.com:8443", false),
        ("https://evil.example", "rt.example.com", false),
        ("https://rt.example.com.evil.example", "rt.example.com", false),
        ("null", "null", false),
        ("app://host", "host", false),
        ("https://", "", false),
    ];
    let listed = Origins::parse(&["https://*.other.example"]).expect("a list");
    for (origin, host, allowed) in cases {
        assert_eq!(Origins::None.allow(origin, host), allowed, "{origin} at {host}");
        assert_eq!(listed.allow(origin, host), allowed, "{origin} at {host}");
    }
}

#[test]
fn a_pattern_is_written_as_it_is_read() {
    for text in ["https://*.example.com", "https://a.example", "http://localhost:*", "http://[::1]:81", "app://x"] {
        assert_eq!(pattern(text).to_string(), text);
    }
    assert_eq!(pattern("HTTPS://A.example:443").to_string(), "https://a.example");
}

#[test]
fn pages_of_this_machine_may_connect_in_development_and_names_that_only_look_alike_may_not() {
    for here in [
        "http://localhost:3000",
        "http://LOCALHOST",
        "https://app.localhost:8443",
        "http://127.0.0.1:5173",
        "http://127.8.9.10",
        "http://[::1]:8080",
        "http://[::ffff:127.0.0.1]:80",
    ] {
        assert!(Origins::None.and_loopback().allow(here, ""), "{here}");
    }
    for elsewhere in [
        "null",
        "",
        "localhost:3000",
        "file://localhost",
        "http://localhost.evil.example",
        "http://evillocalhost",
        "http://127.0.0.1.evil.example",
        "http://localhost@evil.example",
        "http://10.0.0.1",
        "http://[::2]",
    ] {
        assert!(!Origins::None.and_loopback().allow(elsewhere, ""), "{elsewhere}");
    }
}
