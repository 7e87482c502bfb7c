//! The floor: what the kernel charges. One thread; for whatever was published, one `write` of the ready-made frames
//! per socket. It knows no topics, no users and no queue, and waits for slow readers.

use std::{
    env,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
};

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::options::Result;

/// Serves until it is ended.
pub(crate) fn serve() -> Result<()> {
    let (subscribers, publishers) = super::floor::ports()?;
    let listener = TcpListener::bind(("127.0.0.1", subscribers))?;
    let (new, sockets) = mpsc::sync_channel(1024);
    // Handshakes are not what is measured; they have a thread of their own.
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if let Ok(stream) = shake_hands(stream)
                && new.send(stream).is_err()
            {
                return;
            }
        }
    });
    let publishers = TcpListener::bind(("127.0.0.1", publishers))?;
    let mut held: Vec<TcpStream> = Vec::new();
    // The first connection only checks that the port is open.
    for publisher in publishers.incoming() {
        fan_out(publisher?, &mut held, &sockets)?;
    }
    Ok(())
}

/// The two ports that `run` chose.
pub(super) fn ports() -> Result<(u16, u16)> {
    let text = env::var("PORTS").map_err(|_| "PORTS is not set; `run` starts this")?;
    let (subscribers, publishers) = text.split_once(' ').ok_or("PORTS is not two ports")?;
    Ok((subscribers.parse()?, publishers.parse()?))
}

fn fan_out(mut publisher: TcpStream, held: &mut Vec<TcpStream>, new: &mpsc::Receiver<TcpStream>) -> Result<()> {
    let (mut buffer, mut lines) = (vec![0; 256 * 1024], Vec::new());
    loop {
        let n = publisher.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        lines.extend_from_slice(&buffer[..n]);
        held.extend(new.try_iter());
        let mut frames = Vec::new();
        while let Some(end) = memchr::memchr(b'\n', &lines) {
            let line = &lines[..end];
            let space = memchr::memchr(b' ', line).unwrap_or(0);
            match std::str::from_utf8(&line[..space])?.parse::<usize>() {
                // For one socket alone, in the order of their coming.
                Ok(one) => {
                    let mut single = Vec::new();
                    frame(&line[space + 1..], &mut single);
                    held.get_mut(one).ok_or("no such socket")?.write_all(&single)?;
                }
                Err(_) => frame(&line[space + 1..], &mut frames),
            }
            lines.drain(..=end);
        }
        if !frames.is_empty() {
            held.retain_mut(|socket| socket.write_all(&frames).is_ok());
        }
    }
}

/// An unmasked text frame (RFC 6455 section 5.2).
fn frame(text: &[u8], out: &mut Vec<u8>) {
    out.push(0x81);
    match text.len() {
        n @ 0..=125 => out.push(u8::try_from(n).unwrap_or(0)),
        n => {
            out.push(126);
            out.extend_from_slice(&u16::try_from(n).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    out.extend_from_slice(text);
}

fn shake_hands(mut stream: TcpStream) -> Result<TcpStream> {
    let (mut request, mut buffer) = (Vec::new(), [0; 2048]);
    while memchr::memmem::find(&request, b"\r\n\r\n").is_none() {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            return Err("closed before the handshake".into());
        }
        request.extend_from_slice(&buffer[..n]);
    }
    stream.set_nodelay(true)?;
    let accept = derive_accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(response.as_bytes())?;
    Ok(stream)
}
