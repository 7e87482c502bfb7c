//! The header of the PROXY protocol, versions 1 and 2, as HAProxy's `proxy-protocol.txt` describes it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str,
};

/// The first bytes of version 2 (section 2.2).
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// What version 2 has before its addresses: the signature, version and command, family, and a length.
const FIXED: usize = 16;
/// The longest header of version 1 (section 2.1), with its line end.
const MAX_V1: usize = 107;
/// The longest header of version 2 that is read. The addresses need 52 bytes at most; more is optional information.
const MAX_V2: usize = 4096;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The address of the client. `None` if the proxy speaks for itself, as in its health checks (`LOCAL`), or does not
    /// know the address (`UNKNOWN`, `UNSPEC`, a Unix socket).
    pub(super) client: Option<SocketAddr>,
    /// How many bytes it has.
    pub(super) bytes: usize,
}

/// The result of reading a prefix of what a connection sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// So many bytes more are needed at least, and none of what follows the header is among them.
    Needs(usize),
    /// A whole header.
    Header(Header),
}

/// Bytes that are no header of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a header of the PROXY protocol: {0}")]
pub(super) struct InvalidHeader(&'static str);

/// Parses the beginning of a connection.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, InvalidHeader> {
    if bytes.is_empty() {
        // No header of either version is shorter.
        return Ok(Parsed::Needs(SIGNATURE.len()));
    }
    let common = bytes.len().min(SIGNATURE.len());
    if bytes[..common] == SIGNATURE[..common] {
        return parse_v2(bytes);
    }
    let prefix = b"PROXY ";
    let common = bytes.len().min(prefix.len());
    if bytes[..common] == prefix[..common] {
        return parse_v1(bytes);
    }
    Err(InvalidHeader("the connection begins with other bytes"))
}

/// Section 2.1: one line of text.
fn parse_v1(bytes: &[u8]) -> Result<Parsed, InvalidHeader> {
    let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else {
        return match bytes.len() {
            // The shortest is `PROXY UNKNOWN` with its line end.
            length if length < 15 => Ok(Parsed::Needs(15 - length)),
            length if length < MAX_V1 => Ok(Parsed::Needs(1)),
            _ => Err(InvalidHeader("a line of version 1 that does not end")),
        };
    };
    let line = str::from_utf8(&bytes[..end]).map_err(|_| InvalidHeader("version 1 is not ASCII"))?;
    let invalid = InvalidHeader("version 1 with invalid fields");
    let mut fields = line.split(' ').skip(1);
    let client = match fields.next() {
        Some("UNKNOWN") => None,
        Some(family @ ("TCP4" | "TCP6")) => {
            let mut address = || fields.next()?.parse::<IpAddr>().ok().filter(|ip| ip.is_ipv4() == (family == "TCP4"));
            let (source, _destination) = (address().ok_or(invalid)?, address().ok_or(invalid)?);
            let mut port = || fields.next()?.parse::<u16>().ok();
            let (port, _destination) = (port().ok_or(invalid)?, port().ok_or(invalid)?);
            if fields.next().is_some() {
                return Err(invalid);
            }
            Some(SocketAddr::new(source, port))
        }
        _ => return Err(invalid),
    };
    Ok(Parsed::Header(Header { client, bytes: end + 2 }))
}

/// Section 2.2: binary.
fn parse_v2(bytes: &[u8]) -> Result<Parsed, InvalidHeader> {
    let Some(fixed) = bytes.first_chunk::<FIXED>() else { return Ok(Parsed::Needs(FIXED - bytes.len())) };
    let (command, family) = (fixed[12], fixed[13]);
    let length = FIXED + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if length > MAX_V2 {
        return Err(InvalidHeader("version 2 with more than 4096 bytes"));
    }
    let Some(rest) = bytes.get(FIXED..length) else { return Ok(Parsed::Needs(length - bytes.len())) };
    let client = match command {
        // LOCAL: what follows is to be ignored.
        0x20 => None,
        0x21 => proxied(family, rest)?,
        _ => return Err(InvalidHeader("version 2 with an unknown version or command")),
    };
    Ok(Parsed::Header(Header { client, bytes: length }))
}

/// The source of a proxied connection.
fn proxied(family: u8, rest: &[u8]) -> Result<Option<SocketAddr>, InvalidHeader> {
    let short = InvalidHeader("version 2 with too few bytes of addresses");
    let port = |at: usize| Some(u16::from_be_bytes([*rest.get(at)?, *rest.get(at + 1)?]));
    match family {
        0x11 => {
            let octets = *rest.first_chunk::<4>().filter(|_| rest.len() >= 12).ok_or(short)?;
            Ok(Some(SocketAddr::new(Ipv4Addr::from(octets).into(), port(8).ok_or(short)?)))
        }
        0x21 => {
            let octets = *rest.first_chunk::<16>().filter(|_| rest.len() >= 36).ok_or(short)?;
            Ok(Some(SocketAddr::new(Ipv6Addr::from(octets).into(), port(32).ok_or(short)?)))
        }
        // UNSPEC, and Unix sockets, which have no address.
        0x00 | 0x31 | 0x32 => Ok(None),
        _ => Err(InvalidHeader("version 2 with an unknown family")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    fn client(bytes: &[u8]) -> Option<String> {
        let glued = [bytes, b"GET / HTTP/1.1\r\n"].concat();
        match parse(&glued).expect("a header") {
            Parsed::Header(header) => {
                assert_eq!(header.bytes, bytes.len(), "not a byte of what follows");
                header.client.map(|address| address.to_string())
            }
            Parsed::Needs(more) => panic!("{more} more bytes"),
        }
    }

    fn ipv4() -> Vec<u8> {
        [&[203, 0, 113, 7][..], &[10, 0, 0, 1], &4000_u16.to_be_bytes(), &443_u16.to_be_bytes()].concat()
    }

    fn ipv6() -> Vec<u8> {
        let source: Ipv6Addr = "2001:db8::7".parse().expect("an address");
        [&source.octets()[..], &[0; 16], &4000_u16.to_be_bytes(), &443_u16.to_be_bytes()].concat()
    }

    #[test]
    fn both_versions_name_the_client() {
        assert_eq!(client(&v2(0x21, 0x11, &ipv4())).as_deref(), Some("203.0.113.7:4000"));
        assert_eq!(client(&v2(0x21, 0x21, &ipv6())).as_deref(), Some("[2001:db8::7]:4000"));
        let with_more = [ipv4(), vec![0x04, 0, 1, 9]].concat();
        assert_eq!(client(&v2(0x21, 0x11, &with_more)).as_deref(), Some("203.0.113.7:4000"));
        let lines = [
            ("PROXY TCP4 203.0.113.7 10.0.0.1 4000 443\r\n", "203.0.113.7:4000"),
            ("PROXY TCP6 2001:db8::7 2001:db8::1 4000 443\r\n", "[2001:db8::7]:4000"),
        ];
        for (line, address) in lines {
            assert_eq!(client(line.as_bytes()).as_deref(), Some(address));
        }
    }

    #[test]
    fn a_proxy_that_speaks_for_itself_names_no_client() {
        for header in [v2(0x20, 0x00, &[]), v2(0x20, 0x11, &ipv4()), v2(0x21, 0x00, &[]), v2(0x21, 0x31, &[0; 216])] {
            assert_eq!(client(&header), None, "{header:?}");
        }
        assert_eq!(client(b"PROXY UNKNOWN\r\n"), None);
        assert_eq!(client(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), None);
    }

    #[test]
    fn anything_else_is_invalid() {
        let invalid: [Vec<u8>; 13] = [
            b"GET / HTTP/1.1\r\n".to_vec(),
            b"\x16\x03\x01\x00\x05".to_vec(),
            b"PROXY TCP4 203.0.113.7 10.0.0.1 4000\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.7 10.0.0.1 4000 443 1\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::7 10.0.0.1 4000 443\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.7 10.0.0.1 4000 99999\r\n".to_vec(),
            b"PROXY UDP4 203.0.113.7 10.0.0.1 4000 443\r\n".to_vec(),
            [&b"PROXY "[..], &[b'x'; 200]].concat(),
            v2(0x21, 0x11, &ipv4()[..11]),
            v2(0x21, 0x21, &ipv6()[..35]),
            v2(0x22, 0x11, &ipv4()),
            v2(0x11, 0x11, &ipv4()),
            v2(0x21, 0x41, &ipv4()),
        ];
        for bytes in invalid {
            assert!(parse(&bytes).is_err(), "{:?}", String::from_utf8_lossy(&bytes));
        }
        let long = [&SIGNATURE[..], &[0x21, 0x11, 0xFF, 0xFF]].concat();
        assert!(parse(&long).is_err(), "its length is refused before it is read");
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_no_byte_beyond_the_header_is_asked_for(
            start in prop_oneof![Just(Vec::new()), Just(b"PROXY ".to_vec()), Just(b"PROXY UNKNOWN\r\n".to_vec()),
                                 Just(v2(0x21, 0x11, &ipv4())), Just(v2(0x20, 0x00, &[])), Just(SIGNATURE.to_vec())],
            rest in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let bytes = [start, rest].concat();
            if let Ok(Parsed::Header(header)) = parse(&bytes) {
                prop_assert!(header.bytes <= bytes.len());
                // Read as it is on a socket: only what is asked for.
                let mut read = 0;
                while let Parsed::Needs(more) = parse(&bytes[..read]).expect("a prefix of a header") {
                    prop_assert!(more > 0);
                    read += more;
                }
                prop_assert_eq!(read, header.bytes);
            }
        }
    }
}
