//! Resume tickets, signed with HMAC-SHA256 (RFC 2104) by the same library as tokens.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use realtime_core::ticket::Ticket;
use realtime_ports::{TicketError, Tickets};
use realtime_schema::Timestamp;
use uuid::Uuid;

use super::{algorithm::MIN_SECRET_BYTES, error::KeyError};

/// The first part of every ticket: the format and its version. It is signed too and is no base64 of a JWT header, so
/// a ticket is never a valid token, not even with the same secret.
const PREFIX: &str = "rt1.";
/// An HMAC-SHA256 of 32 bytes in base64 without padding.
const SIGNATURE_CHARS: usize = 43;
/// Largest JSON text of a ticket whose base64 fits, with the prefix, a dot and the signature.
const MAX_JSON_BYTES: usize = (Ticket::MAX_CHARS - PREFIX.len() - 1 - SIGNATURE_CHARS) / 4 * 3;

/// Signed resume tickets: `rt1.BODY.SIGNATURE`, with base64 (RFC 4648 section 5) of JSON as the body. A client can
/// read its own ticket, which names nothing that the client was not sent before.
pub struct SignedTickets {
    sealing: EncodingKey,
    /// The first is that of `sealing`.
    opening: Vec<DecodingKey>,
}

impl SignedTickets {
    /// Tickets with these secrets, used byte for byte: the first one signs, and all of them verify. To replace a
    /// secret, put the new one first and remove the old one once the tickets it signed have expired.
    ///
    /// # Errors
    /// A secret is shorter than [`MIN_SECRET_BYTES`], or none is given.
    pub fn new<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, KeyError> {
        let mut sealing = None;
        let mut opening = Vec::new();
        for secret in secrets {
            let secret = secret.as_ref();
            if secret.len() < MIN_SECRET_BYTES {
                return Err(KeyError::ShortSecret { bytes: secret.len() });
            }
            sealing.get_or_insert_with(|| EncodingKey::from_secret(secret));
            opening.push(DecodingKey::from_secret(secret));
        }
        let sealing = sealing.ok_or(KeyError::ShortSecret { bytes: 0 })?;
        Ok(Self { sealing, opening })
    }

    /// A random secret for [`Self::new`].
    pub fn random_secret() -> Vec<u8> {
        // Three UUIDs of version 4 have 366 random bits of the system's generator; an HMAC-SHA256 uses 256.
        [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()].map(Uuid::into_bytes).concat()
    }

    /// Tickets with a random secret: those of another process, and of this one after a restart, are refused.
    pub fn random() -> Self {
        let secret = Self::random_secret();
        Self { sealing: EncodingKey::from_secret(&secret), opening: vec![DecodingKey::from_secret(&secret)] }
    }
}

impl fmt::Debug for SignedTickets {
    // Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedTickets").field("secrets", &self.opening.len()).finish_non_exhaustive()
    }
}

impl Tickets for SignedTickets {
    fn seal(&self, ticket: &Ticket) -> String {
        let json = serde_json::to_vec(&ticket.fitted(MAX_JSON_BYTES)).expect("a ticket has text keys only");
        let mut text = PREFIX.to_owned();
        BASE64_URL_SAFE_NO_PAD.encode_string(json, &mut text);
        let signature = crypto::sign(text.as_bytes(), &self.sealing, Algorithm::HS256).expect("HMAC with any secret");
        text.push('.');
        text.push_str(&signature);
        text
    }

    fn open(&self, text: &str, now: Timestamp) -> Result<Ticket, TicketError> {
        if text.len() > Ticket::MAX_CHARS {
            return Err(TicketError);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TicketError)?;
        let body = signed.strip_prefix(PREFIX).ok_or(TicketError)?;
        let is_valid = |key| crypto::verify(signature, signed.as_bytes(), key, Algorithm::HS256).unwrap_or(false);
        // Nothing of the body is read before its signature is verified.
        if !self.opening.iter().any(is_valid) {
            return Err(TicketError);
        }
        let json = BASE64_URL_SAFE_NO_PAD.decode(body).map_err(|_| TicketError)?;
        let ticket: Ticket = serde_json::from_slice(&json).map_err(|_| TicketError)?;
        if now >= ticket.expires_at { Err(TicketError) } else { Ok(ticket) }
    }
}

#[cfg(test)]
mod tests {
    use realtime_schema::UserId;

    use super::*;

    const OLD: &[u8; 32] = b"the old secret of a cluster ....";
    const NEW: &[u8; 32] = b"the new secret of a cluster ....";

    fn ticket() -> Ticket {
        Ticket {
            user: UserId::new("alice").expect("a user"),
            client: None,
            issued_at: Timestamp::from_millis(0),
            expires_at: Timestamp::from_millis(1_000),
            streams: Vec::new(),
            left_out: 0,
        }
    }

    fn opens(tickets: &SignedTickets, text: &str) -> bool {
        tickets.open(text, Timestamp::from_millis(0)).is_ok()
    }

    #[test]
    fn the_first_secret_signs_and_all_of_them_verify() {
        let [old, both, new] =
            [&[OLD][..], &[NEW, OLD], &[NEW]].map(|secrets| SignedTickets::new(secrets).expect("secrets"));
        let (by_old, by_both) = (old.seal(&ticket()), both.seal(&ticket()));
        assert!(opens(&both, &by_old) && opens(&both, &by_both) && opens(&new, &by_both));
        assert!(!opens(&old, &by_both) && !opens(&new, &by_old));
    }

    #[test]
    fn a_short_secret_and_no_secret_are_refused() {
        assert!(matches!(SignedTickets::new(["short"]), Err(KeyError::ShortSecret { bytes: 5 })));
        let mixed: [&[u8]; 2] = [NEW, b"short"];
        assert!(matches!(SignedTickets::new(mixed), Err(KeyError::ShortSecret { bytes: 5 })));
        assert!(SignedTickets::new([""; 0]).is_err());
    }

    #[test]
    fn a_token_signed_with_the_same_secret_is_no_ticket_and_a_ticket_is_no_token() {
        let tickets = SignedTickets::new([NEW]).expect("a secret");
        let key = EncodingKey::from_secret(NEW);
        let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &ticket(), &key).expect("a token");
        assert!(!opens(&tickets, &token));
        assert!(jsonwebtoken::decode_header(tickets.seal(&ticket())).is_err());
    }

    #[test]
    fn the_secrets_are_in_no_log() {
        let text = format!("{:?}", SignedTickets::new([NEW]).expect("a secret"));
        assert_eq!(text, "SignedTickets { secrets: 1, .. }");
    }
}
