//! A blocking HTTP client: it sends a request and reads the response, with nothing scheduled in between.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use memchr::memmem;

use crate::options::Result;

/// The longest that a response may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// A connection to a server's HTTP side.
pub(crate) struct Http(TcpStream);

impl Http {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        Ok(Self(stream))
    }

    /// The whole response to a request. A status other than 200 to 299 is an error.
    pub(crate) fn request(&mut self, request: &[u8]) -> Result<Vec<u8>> {
        self.0.write_all(request)?;
        let (mut response, mut buffer) = (Vec::new(), [0; 16 * 1024]);
        loop {
            let n = self.0.read(&mut buffer)?;
            if n == 0 {
                return Err("the server closed the connection".into());
            }
            response.extend_from_slice(&buffer[..n]);
            if whole(&response) {
                break;
            }
        }
        if !response.starts_with(b"HTTP/1.1 2") {
            return Err(format!("refused: {}", String::from_utf8_lossy(&response)).into());
        }
        Ok(response)
    }
}

/// Whether a response has all of the body that its head announces.
fn whole(response: &[u8]) -> bool {
    let Some(end) = memmem::find(response, b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&response[..end]).to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.trim().parse().ok());
    length.is_some_and(|length: usize| response.len() >= end + 4 + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_whole_with_its_body() {
        assert!(!whole(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"));
        assert!(!whole(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1"));
        assert!(whole(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n12"));
    }
}
