//! The variables that Kubernetes sets in every container for the services of its namespace ("service links").
//!
//! A service named `realtime` or `realtime-redis` sets variables that begin with `REALTIME_`. They are no settings, and
//! a container can't prevent them from outside its pod's definition, so they must not stop the server.

use std::net::{IpAddr, SocketAddr};

/// Whether `name`, without its prefix `REALTIME_`, and `value` are those of a service link.
///
/// Both must have the form that Kubernetes gives them, so that a mistyped setting (`REALTIME_SERVER_PORT=8080`) stays an
/// error. A setting never collides with a service link: its parts are separated by two underscores, and the last part
/// of none is `port` or `service_host`.
///
/// For a service `X`: `X_SERVICE_HOST` (an IP address), `X_SERVICE_PORT` and `X_SERVICE_PORT_<NAME>` (a port number),
/// `X_PORT` and `X_PORT_<number>_<PROTOCOL>` (`tcp://address:port`), and the latter with `_PROTO`, `_PORT` and `_ADDR`.
/// <https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    // The service may be named `realtime`, and then nothing stands before the suffix.
    let name = format!("_{name}");
    if name.ends_with("_SERVICE_HOST") {
        return is_address(value);
    }
    if let Some((_, rest)) = name.rsplit_once("_SERVICE_PORT")
        && (rest.is_empty() || is_port_name(rest))
        && is_port(value)
    {
        return true;
    }
    // From the right: the service's own name may contain `_PORT` too.
    name.match_indices("_PORT").any(|(at, found)| is_port_link(&name[at + found.len()..], value))
}

/// What follows `X_PORT`: nothing, `_6379_TCP`, or that with `_PROTO`, `_PORT` or `_ADDR`.
fn is_port_link(rest: &str, value: &str) -> bool {
    let mut parts = rest.split('_').skip(1);
    let numbered = match (rest, parts.next(), parts.next()) {
        ("", ..) => return is_url(value),
        (_, Some(number), Some(protocol)) => is_port(number) && is_protocol(&protocol.to_lowercase()),
        _ => false,
    };
    numbered
        && match (parts.next(), parts.next()) {
            (None, _) => is_url(value),
            (Some("PROTO"), None) => is_protocol(value),
            (Some("PORT"), None) => is_port(value),
            (Some("ADDR"), None) => is_address(value),
            _ => false,
        }
}

fn is_port_name(rest: &str) -> bool {
    rest.len() > 1 && rest.starts_with('_')
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn is_protocol(text: &str) -> bool {
    ["tcp", "udp", "sctp"].contains(&text)
}

fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

fn is_url(text: &str) -> bool {
    let Some((protocol, address)) = text.split_once("://") else { return false };
    // Kubernetes joins host and port; older releases write an IPv6 address without brackets.
    is_protocol(protocol)
        && (address.parse::<SocketAddr>().is_ok()
            || address.rsplit_once(':').is_some_and(|(host, port)| is_address(host) && is_port(port)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{keys::variable, shape::Shape};

    /// All that Kubernetes sets for a service, without the prefix.
    fn links(service: &str, address: &str, url_host: &str) -> Vec<(String, String)> {
        let service = if service.is_empty() { String::new() } else { format!("{service}_") };
        [
            ("SERVICE_HOST", address.to_owned()),
            ("SERVICE_PORT", "6379".to_owned()),
            ("SERVICE_PORT_METRICS", "9090".to_owned()),
            ("SERVICE_PORT_HTTP_ADMIN", "9091".to_owned()),
            ("PORT", format!("tcp://{url_host}:6379")),
            ("PORT_6379_TCP", format!("tcp://{url_host}:6379")),
            ("PORT_6379_TCP_PROTO", "tcp".to_owned()),
            ("PORT_6379_TCP_PORT", "6379".to_owned()),
            ("PORT_6379_TCP_ADDR", address.to_owned()),
            ("PORT_53_UDP", format!("udp://{url_host}:53")),
            ("PORT_53_UDP_PROTO", "udp".to_owned()),
        ]
        .map(|(name, value)| (format!("{service}{name}"), value))
        .into()
    }

    #[test]
    fn a_service_of_any_name_and_address_is_recognized() {
        // `realtime`, `realtime-redis`, names like sections, names with the suffixes in them, a doubled hyphen.
        for service in ["", "REDIS", "API", "SERVER", "LIMITS", "SERVICE", "PORT", "MY_PORT_80_TCP", "API__KEYS"] {
            for (address, host) in [("10.0.0.7", "10.0.0.7"), ("fd00::7", "[fd00::7]"), ("fd00::7", "fd00::7")] {
                for (name, value) in links(service, address, host) {
                    assert!(is_service_link(&name, &value), "{name}={value}");
                }
            }
        }
    }

    #[test]
    fn a_mistyped_setting_is_not_taken_for_one() {
        for (name, value) in [
            ("SERVER_PORT", "8080"),
            ("PORT", "8080"),
            ("SERVER_LISTEN", "10.0.0.7:80"),
            ("SERVICE_HOST", "redis.local"),
            ("REDIS_SERVICE_HOST", ""),
            ("SERVICE_PORTS", "80"),
            ("SERVICE_HOSTS", "10.0.0.7"),
            ("REDIS_SERVICE_PORT", "http"),
            ("REDIS_SERVICE_PORT_", "80"),
            ("REDIS_PORT_6379_TCP_NAME", "tcp"),
            ("REDIS_PORT_X_TCP", "tcp://10.0.0.7:80"),
            ("PORTS", "tcp://10.0.0.7:80"),
            ("SERVER_PORT", "http://10.0.0.7:80"),
            ("SERVER_PORT", "tcp://10.0.0.7"),
        ] {
            assert!(!is_service_link(name, value), "{name}={value}");
        }
    }

    #[test]
    fn no_setting_can_be_taken_for_one() {
        for path in Shape::of_config().paths() {
            let name = variable(&path);
            let rest = name.strip_prefix("REALTIME_").expect("the prefix");
            for value in ["10.0.0.7", "6379", "tcp", "tcp://10.0.0.7:6379"] {
                assert!(!is_service_link(rest, value), "{name}={value}");
            }
        }
    }
}
