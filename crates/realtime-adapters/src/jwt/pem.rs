//! Public keys in PEM (RFC 7468), in the forms that environment variables and editors give them.

use jsonwebtoken::DecodingKey;

use super::{algorithm::KeyKind, error::KeyError};

// A SubjectPublicKeyInfo begins with the same bytes for every key of a curve (RFC 5480, RFC 8410), and each of
// these beginnings is a whole number of base64 groups, so the text itself tells the curve.
const P256_SPKI: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";
const P384_SPKI: &str = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE";
const ED25519_SPKI: &str = "MCowBQYDK2VwAyEA";
const P521_SPKI: &str = "MIGbMBAGByqGSM49AgEGBSuBBAAj";
const SECP256K1_SPKI: &str = "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAE";
const ED448_SPKI: &str = "MEMwBQYDK2VxAzoA";

/// The length of a line of PEM (RFC 7468 section 2).
const LINE: usize = 64;

/// A public key in PEM.
pub(super) struct PublicPem {
    /// The kind of key that it holds.
    pub(super) kind: KeyKind,
    /// The key as RFC 7468 writes it, whatever form it was given in.
    pub(super) text: String,
}

impl PublicPem {
    /// Reads `PUBLIC KEY` and `RSA PUBLIC KEY`.
    ///
    /// Spaces, line ends of any kind, and the two characters `\n` (as in an environment variable of one line) may
    /// stand anywhere between the parts; text before and after the key is ignored, as RFC 7468 section 2 says.
    pub(super) fn read(given: &str) -> Result<Self, KeyError> {
        let problem = |problem| Err(KeyError::Pem { problem });
        // A backslash has no meaning in PEM, so these can only be line ends that were escaped.
        let given = given.replace("\\r", "").replace("\\n", "\n");
        let Some((_, rest)) = given.split_once("-----BEGIN ") else {
            return problem("the line `-----BEGIN PUBLIC KEY-----` is missing");
        };
        let Some((label, rest)) = rest.split_once("-----") else {
            return problem("its first line is cut off");
        };
        if rest.contains("-----BEGIN ") {
            return problem("it holds more than one block; give each key by itself");
        }
        if label == "CERTIFICATE" {
            return problem(
                "it is a certificate; extract the public key with `openssl x509 -pubkey -noout -in FILE` and give that",
            );
        }
        if label.contains("PRIVATE KEY") {
            return problem(
                "it is a private key, which a verifier must not have; extract the public key with \
                 `openssl pkey -pubout -in FILE` and give that",
            );
        }
        let Some((body, _)) = rest.split_once("-----END ") else {
            return problem("its last line, `-----END …`, is missing");
        };
        let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
        let text = framed(label, &body);
        let kind = match label {
            "RSA PUBLIC KEY" => KeyKind::Rsa,
            "PUBLIC KEY" if body.starts_with(P256_SPKI) => KeyKind::P256,
            "PUBLIC KEY" if body.starts_with(P384_SPKI) => KeyKind::P384,
            "PUBLIC KEY" if body.starts_with(ED25519_SPKI) => KeyKind::Ed25519,
            "PUBLIC KEY" if body.starts_with(P521_SPKI) => {
                return problem("it is a P-521 key (ES512); only RSA, P-256, P-384 and Ed25519 keys are supported");
            }
            "PUBLIC KEY" if body.starts_with(SECP256K1_SPKI) => {
                return problem(
                    "it is a secp256k1 key (ES256K); only RSA, P-256, P-384 and Ed25519 keys are supported",
                );
            }
            "PUBLIC KEY" if body.starts_with(ED448_SPKI) => {
                return problem("it is an Ed448 key; only RSA, P-256, P-384 and Ed25519 keys are supported");
            }
            "PUBLIC KEY" if DecodingKey::from_rsa_pem(text.as_bytes()).is_ok() => KeyKind::Rsa,
            "PUBLIC KEY" => return problem("only RSA, P-256, P-384 and Ed25519 keys are supported"),
            _ => return problem("its label is not `PUBLIC KEY`"),
        };
        Ok(Self { kind, text })
    }
}

/// The block of RFC 7468 with this label and base64 text.
fn framed(label: &str, body: &str) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for (at, character) in body.chars().enumerate() {
        if at > 0 && at % LINE == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text + &format!("\n-----END {label}-----\n")
}
