//! The signature of a request: HMAC-SHA256 (RFC 2104) over the time and the body.

use std::fmt::{self, Write};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};

use super::config::SigningSecret;

/// The version of the signature, before each value.
const VERSION: &str = "v1=";

/// Signs requests.
pub(super) struct Signer(Vec<EncodingKey>);

impl Signer {
    pub(super) fn new(secrets: &[SigningSecret]) -> Self {
        Self(secrets.iter().map(|secret| EncodingKey::from_secret(secret.bytes())).collect())
    }

    /// The header `X-Realtime-Signature`: for each secret `v1=` and the HMAC-SHA256 of `TIMESTAMP.BODY` in hexadecimal,
    /// with commas between.
    pub(super) fn sign(&self, timestamp: i64, body: &[u8]) -> String {
        let mut signed = format!("{timestamp}.").into_bytes();
        signed.extend_from_slice(body);
        let mut header = String::new();
        for key in &self.0 {
            if !header.is_empty() {
                header.push(',');
            }
            header.push_str(VERSION);
            // The library returns base64; a backend compares hexadecimal more easily.
            let base64 = crypto::sign(&signed, key, Algorithm::HS256).expect("HMAC with any secret");
            for byte in BASE64_URL_SAFE_NO_PAD.decode(base64).expect("its own base64") {
                let _ = write!(header, "{byte:02x}");
            }
        }
        header
    }
}

impl fmt::Debug for Signer {
    // Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("secrets", &self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(secrets: &[&str]) -> Signer {
        let secrets: Vec<_> = secrets.iter().map(|text| SigningSecret::new(*text).expect("a secret")).collect();
        Signer::new(&secrets)
    }

    #[test]
    fn the_signature_is_the_hmac_of_the_time_and_the_body() {
        // `printf '1795438800.{"hook":"call"}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef`
        let expected = "cf5f497faf7bbdf0861af8cd0607cb55e2c5e6f305260b29b10819294aab0463";
        let header = signer(&["0123456789abcdef0123456789abcdef"]).sign(1_795_438_800, br#"{"hook":"call"}"#);
        assert_eq!(header, format!("v1={expected}"));
    }

    #[test]
    fn each_secret_signs_so_that_they_can_be_replaced() {
        let (old, new) = ("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210");
        let both = signer(&[new, old]).sign(7, b"{}");
        assert_eq!(both, [signer(&[new]).sign(7, b"{}"), signer(&[old]).sign(7, b"{}")].join(","));
    }

    #[test]
    fn a_secret_that_is_easily_guessed_is_refused_and_none_is_ever_shown() {
        assert!(SigningSecret::new("x".repeat(31)).expect_err("too short").to_string().contains("31 bytes"));
        let secret = "0123456789abcdef0123456789abcdef";
        assert!(!format!("{:?}", SigningSecret::new(secret).expect("a secret")).contains(secret));
        assert!(!format!("{:?}", signer(&[secret])).contains("0123"));
    }
}
