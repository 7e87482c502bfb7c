//! Frames, right and wrong, as RFC 6455 sections 5 to 8 have them. Each case is a conversation with an echo server,
//! played several times with its bytes cut differently. The order is that of Autobahn's test suite.
#![cfg(feature = "ws")]

mod ws_support;

use realtime_adapters::{front::AcceptorConfig, ws::WsConfig};
use ws_support::{Peer, Server, Wire, close, frame, frame_in_form, text};

const PROTOCOL: u16 = 1002;
const INVALID_TEXT: u16 = 1007;
const TOO_LARGE: u16 = 1009;

/// What a peer sends, and what it gets.
struct Case {
    name: String,
    sent: Vec<u8>,
    got: Vec<Wire>,
}

fn case(name: impl Into<String>, sent: &[Vec<u8>], got: &[Wire]) -> Case {
    Case { name: name.into(), sent: sent.concat(), got: got.to_vec() }
}

/// The server ends it with `code`.
fn ended(code: u16) -> Wire {
    Wire::Close(Some(code), String::new())
}

fn echoed(text: &str) -> Wire {
    Wire::Text(text.as_bytes().to_vec())
}

/// Plays each case with its bytes at once, in small parts and one by one. A server that has not closed at the end of
/// a case must answer a close: so that it is alive is a part of each case.
async fn play(section: &str, config: WsConfig, cases: Vec<Case>) {
    let server = Server::echoing(config, AcceptorConfig::default()).await;
    let mut played = 0;
    for Case { name, sent, got } in &cases {
        let steps: &[usize] = if sent.len() < 2000 { &[usize::MAX, 1, 7] } else { &[usize::MAX, 1021] };
        for &step in steps {
            let mut peer = Peer::upgraded(server.address).await;
            peer.send_in_parts(sent, step).await;
            let mut expected = got.clone();
            if !matches!(expected.last(), Some(Wire::Close(..))) {
                peer.send(&close(1000)).await;
                expected.push(ended(1000));
            }
            for expected in expected {
                let got = match peer.frame().await {
                    Some(Wire::Close(code, _)) => Some(Wire::Close(code, String::new())),
                    other => other,
                };
                assert_eq!(got, Some(expected), "{section}: {name}, in parts of {step}");
            }
            assert_eq!(peer.rest().await, b"", "{section}: {name}: after the close");
            played += 1;
        }
    }
    println!("{section}: {} cases, {played} conversations", cases.len());
}

fn roomy() -> WsConfig {
    WsConfig { max_message_bytes: 4 << 20, max_frame_bytes: 4 << 20, max_fragments: 5000, ..WsConfig::default() }
}

#[tokio::test]
async fn section_5_2_framing() {
    let mut cases = Vec::new();
    for size in [0, 1, 124, 125, 126, 127, 128, 65_535, 65_536, 65_537] {
        let payload = vec![b'*'; size];
        cases.push(case(format!("text of {size}"), &[frame(0x81, &payload)], &[Wire::Text(payload.clone())]));
        let payload = vec![0xFE; size];
        cases.push(case(format!("binary of {size}"), &[frame(0x82, &payload)], &[Wire::Binary(payload)]));
    }
    // A sender must use the shortest form; nothing is said of a receiver, and the library reads the longer ones too.
    for (size, form) in [(0, 2), (5, 2), (125, 2), (0, 8), (5, 8), (126, 8), (65_535, 8)] {
        let payload = vec![b'*'; size];
        let name = format!("a length of {size} in {form} bytes");
        cases.push(case(name, &[frame_in_form(0x81, &payload, form)], &[Wire::Text(payload)]));
    }
    for top in [0x80, 0xFF] {
        let name = format!("a 64-bit length that begins with {top:#x}");
        cases.push(case(name, &[vec![0x82, 0xFF, top, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4]], &[ended(TOO_LARGE)]));
    }
    // 5.1 and 5.3: a client masks, with whatever mask.
    for mask in [[0; 4], [0xFF; 4], [0, 0, 0, 1]] {
        let masked: Vec<u8> = b"masked".iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect();
        let sent = [&[0x81, 0x86], &mask[..], &masked].concat();
        cases.push(case(format!("the mask {mask:?}"), &[sent], &[echoed("masked")]));
    }
    for first in [0x81, 0x82, 0x89, 0x8A, 0x01] {
        let name = format!("unmasked, {first:#x}");
        cases.push(case(name, &[text("1"), vec![first, 2, b'h', b'i']], &[echoed("1"), ended(PROTOCOL)]));
    }
    let many: Vec<String> = (0..200).map(|n| format!("message {n}")).collect();
    let sent: Vec<Vec<u8>> = many.iter().map(|message| text(message)).collect();
    let got: Vec<Wire> = many.iter().map(|message| echoed(message)).collect();
    cases.push(case("200 messages at once", &sent, &got));
    play("5.2 framing", roomy(), cases).await;
}

#[tokio::test]
async fn section_5_5_pings_and_pongs() {
    let mut cases = Vec::new();
    let every_byte: Vec<u8> = (0..=255).collect();
    for payload in [&[][..], b"Hello", &[0, 0xFF, 0xFE, 0x80], &every_byte[..125], &every_byte[131..]] {
        let name = format!("a ping with {} bytes", payload.len());
        cases.push(case(name, &[frame(0x89, payload)], &[Wire::Pong(payload.to_vec())]));
    }
    let pings: Vec<_> = (0..20).map(|n| format!("ping {n}").into_bytes()).collect();
    let sent: Vec<_> = pings.iter().map(|ping| frame(0x89, ping)).collect();
    cases.push(case("20 pings", &sent, &pings.iter().cloned().map(Wire::Pong).collect::<Vec<_>>()));
    cases.push(case("an unsolicited pong", &[frame(0x8A, b"")], &[]));
    cases.push(case("the same with a payload", &[frame(0x8A, b"unasked"), text("on")], &[echoed("on")]));
    let sent = [frame(0x8A, b"1"), frame(0x89, b"2"), frame(0x8A, b"3")];
    cases.push(case("a ping between pongs", &sent, &[Wire::Pong(b"2".to_vec())]));
    for (name, opcode) in [("ping", 9), ("pong", 10), ("close", 8)] {
        let long = frame(0x80 | opcode, &[0x03; 126]);
        cases.push(case(format!("a {name} of 126 bytes"), &[long], &[ended(PROTOCOL)]));
        let empty = frame(opcode, b"");
        cases.push(case(format!("an empty {name} in fragments"), &[empty], &[ended(PROTOCOL)]));
        let cut = [text("1"), frame(opcode, &[0x03, 0xE8]), frame(0x80, b"rest")];
        cases.push(case(format!("a {name} in fragments"), &cut, &[echoed("1"), ended(PROTOCOL)]));
    }
    play("5.5 control frames", roomy(), cases).await;
}

#[tokio::test]
async fn section_5_2_reserved_bits_and_opcodes() {
    let mut cases = Vec::new();
    for bits in 1..8 {
        for opcode in [1, 2, 8, 9, 10] {
            let name = format!("reserved bits {bits} of opcode {opcode}");
            let bad = frame(0x80 | bits << 4 | opcode, &[0x03, 0xE8]);
            cases.push(case(name, &[text("1"), bad, text("2")], &[echoed("1"), ended(PROTOCOL)]));
        }
        let sent = [frame(0x01, b"half"), frame(0x80 | bits << 4, b"rest")];
        cases.push(case(format!("reserved bits {bits} of a continuation"), &sent, &[ended(PROTOCOL)]));
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        for payload in [&b""[..], b"payload"] {
            let bad = frame(0x80 | opcode, payload);
            let name = format!("opcode {opcode} with {} bytes", payload.len());
            cases.push(case(name, &[text("1"), bad.clone(), text("2")], &[echoed("1"), ended(PROTOCOL)]));
            let name = format!("opcode {opcode} with {} bytes within a message", payload.len());
            cases.push(case(name, &[frame(0x01, b"half"), bad], &[ended(PROTOCOL)]));
        }
    }
    play("5.2 reserved", roomy(), cases).await;
}

#[tokio::test]
async fn section_5_4_fragmentation() {
    let pong = || Wire::Pong(b"!".to_vec());
    let ping = || frame(0x89, b"!");
    let mut cases = vec![
        case("two fragments", &[frame(0x01, b"one"), frame(0x80, b"two")], &[echoed("onetwo")]),
        case("binary", &[frame(0x02, &[0xFF]), frame(0x80, &[0xFE])], &[Wire::Binary(vec![0xFF, 0xFE])]),
        case("empty ones", &[frame(0x01, b""), frame(0x00, b""), frame(0x80, b"")], &[echoed("")]),
        case("one full of three", &[frame(0x01, b""), frame(0x00, b"full"), frame(0x80, b"")], &[echoed("full")]),
        case("a ping between", &[frame(0x01, b"a"), ping(), frame(0x80, b"b")], &[pong(), echoed("ab")]),
        case("a pong between", &[frame(0x01, b"a"), frame(0x8A, b"?"), frame(0x80, b"b")], &[echoed("ab")]),
        case(
            "pings everywhere",
            &[ping(), frame(0x01, b"a"), ping(), frame(0x00, b"b"), ping(), frame(0x80, b"c"), ping()],
            &[pong(), pong(), pong(), echoed("abc"), pong()],
        ),
        case("a close between", &[frame(0x01, b"a"), close(1000), frame(0x80, b"b")], &[ended(1000)]),
        case("a last fragment of nothing", &[frame(0x80, b"b"), text("c")], &[ended(PROTOCOL)]),
        case("a next fragment of nothing", &[frame(0x00, b"b"), text("c")], &[ended(PROTOCOL)]),
        case(
            "a fragment after the last",
            &[frame(0x01, b"a"), frame(0x80, b"b"), frame(0x80, b"c")],
            &[echoed("ab"), ended(PROTOCOL)],
        ),
        case("a fragment after a message", &[text("a"), frame(0x00, b"b")], &[echoed("a"), ended(PROTOCOL)]),
    ];
    for (start, next) in [(0x01, 0x81), (0x01, 0x01), (0x01, 0x82), (0x02, 0x82), (0x02, 0x01), (0x02, 0x02)] {
        let name = format!("{next:#x} within a message that began with {start:#x}");
        cases.push(case(name, &[frame(start, b"a"), frame(next, b"b")], &[ended(PROTOCOL)]));
    }
    for (total, size) in [(600, 1), (4096, 1000), (1 << 20, 256), (1 << 20, 65_536), (4 << 20, 1 << 20)] {
        let message = "0123456789abcdef".repeat(total / 16 + 1);
        let message = &message[..total];
        let mut sent: Vec<_> = message.as_bytes().chunks(size).map(|part| frame(0x00, part)).collect();
        sent.first_mut().unwrap()[0] = 0x01;
        sent.last_mut().unwrap()[0] |= 0x80;
        cases.push(case(format!("{total} bytes in parts of {size}"), &sent, &[echoed(message)]));
    }
    play("5.4 fragmentation", roomy(), cases).await;
}

/// UTF-8 at the edges of RFC 3629, non-characters included.
const VALID: &[&str] = &[
    "",
    "Hello-µ@ßöäüàá-UTF-8!!",
    "κόσμε",
    "\0",
    "\u{7f}",
    "\u{80}",
    "\u{7ff}",
    "\u{800}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{fdd0}",
    "\u{fffd}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{10000}",
    "\u{1fffe}",
    "\u{10ffff}",
];

/// Bytes that no continuation can make UTF-8.
const INVALID: &[&[u8]] = &[
    b"\x80",             // a continuation without a start
    b"\xbf",             //
    b"\xc0\x80",         // too long a form of U+0000
    b"\xc0\xaf",         // too long a form of a slash
    b"\xc1\xbf",         //
    b"\xe0\x80\xaf",     //
    b"\xe0\x9f\xbf",     //
    b"\xf0\x80\x80\xaf", //
    b"\xf0\x8f\xbf\xbf", //
    b"\xed\xa0\x80",     // surrogates
    b"\xed\xbf\xbf",     //
    b"\xed\xa0\x80\xed\xb0\x80",
    b"\xf4\x90\x80\x80", // beyond U+10FFFF
    b"\xf5\x80\x80\x80", //
    b"\xf8\x88\x80\x80\x80",
    b"\xfc\x84\x80\x80\x80\x80",
    b"\xfe", // never a byte of UTF-8
    b"\xff",
    b"\xc3(", // a start without its continuation
    b"\xe2\x82(",
    b"\xf0\x9f\x98(",
];

/// Starts of characters whose end is missing.
const CUT_OFF: &[&[u8]] = &[b"\xc2", b"\xe2\x82", b"\xe2", b"\xf0\x9f\x98", b"\xf0\x9f", b"\xf0"];

#[tokio::test]
async fn section_8_1_text_is_utf_8() {
    let mut cases = Vec::new();
    for valid in VALID {
        cases.push(case(format!("{valid:?}"), &[text(valid)], &[echoed(valid)]));
        // In two fragments, cut at each byte, also within a character.
        for at in 0..=valid.len() {
            let (start, rest) = valid.as_bytes().split_at(at);
            let name = format!("{valid:?} cut at {at}");
            cases.push(case(name, &[frame(0x01, start), frame(0x80, rest)], &[echoed(valid)]));
        }
        // One byte a fragment.
        let mut sent = vec![frame(0x01, b"")];
        sent.extend(valid.bytes().map(|byte| frame(0x00, &[byte])));
        sent.push(frame(0x80, b""));
        cases.push(case(format!("{valid:?} byte by byte"), &sent, &[echoed(valid)]));
    }
    let broken = |name: String, sent: &[Vec<u8>]| {
        let before = [text("ok")].into_iter().chain(sent.iter().cloned()).collect::<Vec<_>>();
        case(name, &before, &[echoed("ok"), ended(INVALID_TEXT)])
    };
    for invalid in INVALID {
        let message = ["κόσ".as_bytes(), invalid, b"edited"].concat();
        cases.push(broken(format!("{invalid:x?}"), &[frame(0x81, &message)]));
        // The rest of the message need not come: the fragment is enough to refuse it.
        cases.push(broken(format!("{invalid:x?} in a first fragment"), &[frame(0x01, &message)]));
        let second = [frame(0x01, b"so far so good"), frame(0x00, &message)];
        cases.push(broken(format!("{invalid:x?} in a second fragment"), &second));
        for at in 1..invalid.len() {
            let (start, rest) = invalid.split_at(at);
            let name = format!("{invalid:x?} cut at {at}");
            cases.push(broken(name, &[frame(0x01, start), frame(0x00, rest)]));
        }
        cases.push(case(format!("{invalid:x?} in binary"), &[frame(0x82, &message)], &[Wire::Binary(message)]));
    }
    for cut in CUT_OFF {
        cases.push(broken(format!("{cut:x?} at the end"), &[frame(0x81, &[b"end ", *cut].concat())]));
        let sent = [frame(0x01, b"end "), frame(0x80, cut)];
        cases.push(broken(format!("{cut:x?} at the end of the last fragment"), &sent));
        let sent = [frame(0x01, cut), frame(0x80, b"")];
        cases.push(broken(format!("{cut:x?} before an empty last fragment"), &sent));
        let sent = [frame(0x01, cut), frame(0x89, b"\x82"), frame(0x80, b"!")];
        let got = [Wire::Pong(vec![0x82]), ended(INVALID_TEXT)];
        cases.push(case(format!("{cut:x?} before a ping, which does not complete it"), &sent, &got));
    }
    play("8.1 UTF-8", roomy(), cases).await;
}

#[tokio::test]
async fn sections_5_5_1_and_7_4_closing() {
    let reason = |code: u16, reason: &[u8]| frame(0x88, &[&code.to_be_bytes(), reason].concat());
    let mut cases = vec![
        case("no code", &[frame(0x88, b"")], &[Wire::Close(None, String::new())]),
        case("half a code", &[frame(0x88, &[0x03])], &[ended(PROTOCOL)]),
        case("a reason", &[reason(1000, b"bye")], &[ended(1000)]),
        case("the longest reason", &[reason(1000, &[b'*'; 123])], &[ended(1000)]),
        case("too long a reason", &[reason(1000, &[b'*'; 124])], &[ended(PROTOCOL)]),
        case("a reason that is no UTF-8", &[reason(1000, b"\xce\xba\xed\xa0\x80")], &[ended(INVALID_TEXT)]),
        case("a reason that is cut off", &[reason(1000, b"\xe2\x82")], &[ended(INVALID_TEXT)]),
        case("twice", &[close(1000), close(1001)], &[ended(1000)]),
        case("a ping after it", &[close(1000), frame(0x89, b"?")], &[ended(1000)]),
        case("a message after it", &[close(1000), text("late")], &[ended(1000)]),
        case("garbage after it", &[close(1000), vec![0xFF; 1000]], &[ended(1000)]),
        case("much after it", &[close(1000), frame(0x82, &[7; 300_000])], &[ended(1000)]),
        case("messages before it", &[text("1"), text("2"), close(1001)], &[echoed("1"), echoed("2"), ended(1001)]),
    ];
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4601, 4999] {
        cases.push(case(format!("the code {code}"), &[close(code)], &[ended(code)]));
    }
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        cases.push(case(format!("the code {code}, which no peer may send"), &[close(code)], &[ended(PROTOCOL)]));
    }
    play("7 closing", roomy(), cases).await;
}

#[tokio::test]
async fn section_10_4_limits() {
    let config = WsConfig { max_message_bytes: 1000, max_frame_bytes: 600, max_fragments: 4, ..WsConfig::default() };
    let stars = |n: usize| "*".repeat(n);
    let part = |first: u8, n: usize| frame(first, stars(n).as_bytes());
    let mut cases = vec![
        case("the largest frame", &[part(0x81, 600)], &[echoed(&stars(600))]),
        case("a larger frame", &[text("1"), part(0x81, 601)], &[echoed("1"), ended(TOO_LARGE)]),
        case("the head of one is enough", &[part(0x82, 601)[..8].to_vec()], &[ended(TOO_LARGE)]),
        case("a frame of 1 TiB", &[vec![0x82, 0xFF, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4]], &[ended(TOO_LARGE)]),
        case("a much larger frame", &[part(0x82, 500_000)], &[ended(TOO_LARGE)]),
        case("the largest message", &[part(0x01, 600), part(0x80, 400)], &[echoed(&stars(1000))]),
        case("a larger message", &[part(0x01, 600), part(0x80, 401)], &[ended(TOO_LARGE)]),
        case("a larger one, unfinished", &[part(0x02, 600), part(0x00, 401)], &[ended(TOO_LARGE)]),
        case("a ping larger than a frame may be", &[part(0x89, 601)], &[ended(TOO_LARGE)]),
        case(
            "as many fragments as there may be",
            &[part(0x01, 1), part(0x00, 1), part(0x89, 2), part(0x00, 1), part(0x80, 1), part(0x81, 5)],
            &[Wire::Pong(b"**".to_vec()), echoed("****"), echoed("*****")],
        ),
        case(
            "one fragment more",
            &[part(0x01, 1), part(0x00, 1), part(0x00, 1), part(0x00, 1), part(0x80, 1)],
            &[ended(TOO_LARGE)],
        ),
    ];
    let endless: Vec<_> = std::iter::once(part(0x01, 0)).chain((0..10_000).map(|_| part(0x00, 0))).collect();
    cases.push(case("empty fragments without end", &endless, &[ended(TOO_LARGE)]));
    play("10.4 limits", config, cases).await;

    let mut cases = Vec::new();
    for size in [64 << 10, 256 << 10, 1 << 20, 4 << 20] {
        cases.push(case(format!("text of {size}"), &[part(0x81, size)], &[echoed(&stars(size))]));
        let binary = vec![0xFE; size];
        cases.push(case(format!("binary of {size}"), &[frame(0x82, &binary)], &[Wire::Binary(binary)]));
    }
    play("large messages", roomy(), cases).await;
}
