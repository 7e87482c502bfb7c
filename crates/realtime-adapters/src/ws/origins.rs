//! Which `Origin`s may open a WebSocket (RFC 6455 section 10.2): patterns are parsed once and matched without
//! allocation.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

/// The origins that may connect, besides the server's own host.
///
/// A request without an `Origin` is always accepted. So is one whose `Origin` names the host and port of the request's
/// own `Host` header: native clients send that (Python's `websocket-client`, React Native), and so does a page that
/// the same host serves. No list is needed for either.
///
/// What this protects: it stops the page of another site from using what the browser adds to a request by itself.
/// This server takes no cookies, only a token that the page must have, so the check is a second line of defence.
/// It trusts `Host`, which a page can set to its own name by DNS rebinding: a server on a private network that must
/// not be reached that way needs a proxy in front that accepts its own host names only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// The own host only.
    #[default]
    None,
    /// Every origin.
    Any,
    /// The own host, and every origin that one of these patterns matches.
    Listed(Vec<OriginPattern>),
    /// The same, and every page of this machine, on any port: for development.
    ListedAndLoopback(Vec<OriginPattern>),
}

impl Origins {
    /// The same origins, and every page of this machine: for development.
    #[must_use]
    pub fn and_loopback(self) -> Self {
        match self {
            Self::Any => Self::Any,
            Self::None => Self::ListedAndLoopback(Vec::new()),
            Self::Listed(patterns) | Self::ListedAndLoopback(patterns) => Self::ListedAndLoopback(patterns),
        }
    }

    /// Parses a list of patterns. An empty list is [`Self::None`]; a `*` among them is [`Self::Any`].
    ///
    /// # Errors
    /// The first entry that can never match, and what to write instead. See [`OriginPattern`].
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, OriginError> {
        let patterns = texts.iter().map(AsRef::as_ref).filter(|text| *text != "*");
        let patterns: Vec<OriginPattern> = patterns.map(str::parse).collect::<Result<_, _>>()?;
        Ok(match (patterns.len() == texts.len(), patterns.is_empty()) {
            (false, _) => Self::Any,
            (true, true) => Self::None,
            (true, false) => Self::Listed(patterns),
        })
    }

    /// Whether a request with this `Origin` and this `Host` may connect.
    pub fn allow(&self, origin: &str, host: &str) -> bool {
        if matches!(self, Self::Any) {
            return true;
        }
        let Some(origin) = Parts::of(origin) else { return false };
        let listed = match self {
            Self::Listed(patterns) => patterns.iter().any(|pattern| pattern.matches_parts(&origin)),
            Self::ListedAndLoopback(patterns) => {
                origin.is_loopback() || patterns.iter().any(|pattern| pattern.matches_parts(&origin))
            }
            Self::None | Self::Any => false,
        };
        listed || origin.is_of_host(host)
    }
}

/// A pattern of origins: `scheme://host`, with `:port` unless it is the scheme's own.
///
/// In place of the first label of the host, `*` stands for exactly one label: `https://*.example.com` matches
/// `https://a.example.com`, but neither `https://example.com` nor `https://a.b.example.com`. In place of the port, `*`
/// stands for any. Case does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern {
    scheme: String,
    /// Without the `*.`.
    host: String,
    any_label: bool,
    port: Port,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    Any,
    /// `None` if the scheme has no port of its own and none is given.
    Is(Option<u16>),
}

/// A pattern that can never match an `Origin`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` can never match an origin: {problem}")]
pub struct OriginError {
    text: String,
    problem: &'static str,
}

impl OriginPattern {
    /// Whether `origin`, as a client sends it, is one of this pattern's.
    pub fn matches(&self, origin: &str) -> bool {
        Parts::of(origin).is_some_and(|parts| self.matches_parts(&parts))
    }

    fn matches_parts(&self, origin: &Parts<'_>) -> bool {
        let host = if self.any_label {
            match origin.host.split_once('.') {
                Some((label, rest)) if !label.is_empty() => rest,
                _ => return false,
            }
        } else {
            origin.host
        };
        host.eq_ignore_ascii_case(&self.host)
            && origin.scheme.eq_ignore_ascii_case(&self.scheme)
            && (self.port == Port::Any || self.port == Port::Is(origin.port))
    }
}

impl FromStr for OriginPattern {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        parse_pattern(text).map_err(|problem| OriginError { text: text.to_owned(), problem })
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, if self.any_label { "*." } else { "" }, self.host)?;
        match self.port {
            Port::Any => f.write_str(":*"),
            Port::Is(port) if port == default_port(&self.scheme) => Ok(()),
            Port::Is(None) => Ok(()),
            Port::Is(Some(port)) => write!(f, ":{port}"),
        }
    }
}

fn parse_pattern(text: &str) -> Result<OriginPattern, &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("it has no scheme; write `https://app.example.com`")?;
    let scheme = scheme.to_ascii_lowercase();
    match scheme.as_str() {
        "ws" | "wss" => return Err("pages have the scheme `https` or `http`; write `https://app.example.com`"),
        _ if !is_scheme(&scheme) => return Err("its scheme is invalid; write `https://app.example.com`"),
        _ => {}
    }
    if rest.contains(['/', '?', '#', '@']) {
        return Err("an origin has no path, no query and no user; write `https://app.example.com`, without a slash");
    }
    let (host, port) = split_port(rest).ok_or("its host is invalid; write `https://app.example.com`")?;
    let port = match port {
        None => Port::Is(default_port(&scheme)),
        Some("*") => Port::Any,
        Some(port) => match port.parse() {
            Ok(port) if port != 0 => Port::Is(Some(port)),
            _ => return Err("its port is invalid; write 1 to 65535, `*` for any, or none for the scheme's own"),
        },
    };
    let (any_label, host) = match host.strip_prefix("*.") {
        Some(rest) => (true, rest),
        None => (false, host),
    };
    if host.contains('*') {
        return Err("`*` stands for the whole first label only; write `https://*.example.com`");
    }
    if !host.is_ascii() {
        return Err("clients send host names in ASCII; write its `xn--` form");
    }
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        // As browsers write it.
        Some(address) => {
            let address: Ipv6Addr = address.parse().map_err(|_| "its IPv6 address is invalid; write `http://[::1]`")?;
            format!("[{address}]")
        }
        None if host.split('.').all(is_label) => host.to_ascii_lowercase(),
        None => return Err("its host is invalid; write `https://app.example.com`"),
    };
    Ok(OriginPattern { scheme, host, any_label, port })
}

/// RFC 3986 section 3.1.
fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn default_port(scheme: &str) -> Option<u16> {
    let is = |name| scheme.eq_ignore_ascii_case(name);
    if is("https") || is("wss") {
        Some(443)
    } else if is("http") || is("ws") {
        Some(80)
    } else {
        None
    }
}

/// A host, with its brackets if it is an IPv6 address, and the text of its port. `None` if it is no host.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    let end = match text.strip_prefix('[') {
        Some(_) => text.find(']')? + 1,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at(end);
    let port = match rest.strip_prefix(':') {
        Some(port) => Some(port),
        None if rest.is_empty() => None,
        None => return None,
    };
    (!host.is_empty()).then_some((host, port))
}

/// An `Origin` as it was sent.
struct Parts<'a> {
    scheme: &'a str,
    host: &'a str,
    /// The scheme's own if none is given.
    port: Option<u16>,
}

impl<'a> Parts<'a> {
    fn of(origin: &'a str) -> Option<Self> {
        let (scheme, rest) = origin.split_once("://")?;
        let (host, port) = split_port(rest)?;
        let port = match port {
            None => default_port(scheme),
            Some(port) => Some(port.parse().ok()?),
        };
        Some(Self { scheme, host, port })
    }

    /// Whether it is a page of this machine: `http` or `https`, any port, and `localhost`, a name below it (RFC 6761
    /// section 6.3), or a loopback address.
    fn is_loopback(&self) -> bool {
        let is_page = ["http", "https"].iter().any(|scheme| self.scheme.eq_ignore_ascii_case(scheme));
        let last_label = self.host.rsplit('.').next().unwrap_or_default();
        let address = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(self.host);
        let is_address = address.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
        is_page && (is_address || last_label.eq_ignore_ascii_case("localhost"))
    }

    /// Whether `host`, a `Host` header, names the same host and port. Where it names no port, the origin's scheme
    /// decides: behind a proxy with TLS, this server can't know it otherwise.
    fn is_of_host(&self, host: &str) -> bool {
        let Some((host, port)) = split_port(host) else { return false };
        let port = match port {
            None => default_port(self.scheme),
            Some(port) => port.parse().ok(),
        };
        port.is_some() && port == self.port && host.eq_ignore_ascii_case(self.host)
    }
}

#[cfg(test)]
mod tests;
