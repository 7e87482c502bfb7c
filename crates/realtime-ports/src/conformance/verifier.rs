//! The promises of every [`JwtVerifier`], with any keys.

use realtime_schema::JwtClaims;

use crate::{JwtVerifier, VerifyError};

/// Tokens for the verifiers under test, made with keys that they trust.
#[derive(Clone, Debug)]
pub struct VerifierTokens {
    /// A token that is accepted. Use one with a signature and a few claims.
    pub valid: String,
    /// The claims of `valid`.
    pub claims: JwtClaims,
    /// The same token, also signed, with an `exp` of an hour ago.
    pub expired: String,
    /// Tokens that must be refused: signed with an unknown key, unsigned, without a required claim.
    pub forged: Vec<String>,
}

/// Runs the whole suite. Each part takes a fresh verifier.
///
/// # Panics
/// The verifier breaks a promise of the port; the message says which.
pub async fn verifier_conformance<V: JwtVerifier>(fresh: impl Fn() -> V, tokens: &VerifierTokens) {
    a_valid_token_gives_its_claims_each_time(&fresh(), tokens).await;
    an_expired_token_is_called_expired(&fresh(), tokens).await;
    a_changed_token_is_refused(&fresh(), tokens).await;
    a_forged_token_is_refused(&fresh(), tokens).await;
    garbage_is_refused(&fresh(), tokens).await;
    a_valid_token_passes_after_bad_ones(&fresh(), tokens).await;
}

/// The same token has the same claims at every call.
pub async fn a_valid_token_gives_its_claims_each_time<V: JwtVerifier>(verifier: &V, tokens: &VerifierTokens) {
    for _ in 0..3 {
        match verifier.verify(&tokens.valid).await {
            Ok(claims) => assert_eq!(claims, tokens.claims, "the claims of a valid token"),
            Err(error) => panic!("a valid token was refused: {error}"),
        }
    }
}

/// Clients fetch a new token after `Expired`, so the error must not be `Invalid`.
pub async fn an_expired_token_is_called_expired<V: JwtVerifier>(verifier: &V, tokens: &VerifierTokens) {
    let error = refusal(verifier, &tokens.expired).await;
    assert!(matches!(error, VerifyError::Expired), "an expired token returned {error:?}");
}

/// One character changed, cut off or added anywhere makes another token.
pub async fn a_changed_token_is_refused<V: JwtVerifier>(verifier: &V, tokens: &VerifierTokens) {
    let valid = &tokens.valid;
    // The last character stays: some of its bits may have no meaning in base64.
    for (at, old) in valid.char_indices().take(valid.len().saturating_sub(1)) {
        let new = if old == 'A' { 'B' } else { 'A' };
        let changed = format!("{}{new}{}", &valid[..at], &valid[at + old.len_utf8()..]);
        refused_as_invalid(verifier, &changed).await;
        refused_as_invalid(verifier, &valid[..at]).await;
    }
    for changed in [
        format!("{valid}A"),
        format!("{valid}="),
        format!("{valid}."),
        format!("{valid} "),
        format!(" {valid}"),
        format!("Bearer {valid}"),
        format!("{valid}\n"),
        format!("{valid}\0"),
        format!("{valid}.{valid}"),
    ] {
        refused_as_invalid(verifier, &changed).await;
    }
}

/// Every forged token that the caller of the suite supplies.
pub async fn a_forged_token_is_refused<V: JwtVerifier>(verifier: &V, tokens: &VerifierTokens) {
    for forged in &tokens.forged {
        refused_as_invalid(verifier, forged).await;
    }
}

/// Texts that are not tokens: empty, short, huge, full of dots, not ASCII.
pub async fn garbage_is_refused<V: JwtVerifier>(verifier: &V, _tokens: &VerifierTokens) {
    for garbage in ["", " ", "\0", ".", "..", "...", "a.b.c", "e30.e30.", "e30.e30.e30", "ключ.ключ", "\u{10FFFF}"]
    {
        refused_as_invalid(verifier, garbage).await;
    }
    for huge in ["a".repeat(1 << 20), ".".repeat(1 << 16), format!("{0}.{0}.{0}", "e30".repeat(1 << 16))] {
        refused_as_invalid(verifier, &huge).await;
    }
}

/// A refused token does not affect later ones.
pub async fn a_valid_token_passes_after_bad_ones<V: JwtVerifier>(verifier: &V, tokens: &VerifierTokens) {
    for bad in ["", "a.b.c", tokens.expired.as_str()] {
        refusal(verifier, bad).await;
        assert!(
            verifier.verify(&tokens.valid).await.is_ok(),
            "a valid token was refused after {} bad bytes",
            bad.len()
        );
    }
}

async fn refused_as_invalid<V: JwtVerifier>(verifier: &V, token: &str) {
    let error = refusal(verifier, token).await;
    assert!(matches!(error, VerifyError::Invalid(_)), "{token:.80} returned {error:?}");
}

/// The refusal of `token`, which must not repeat any of it.
async fn refusal<V: JwtVerifier>(verifier: &V, token: &str) -> VerifyError {
    let error = match verifier.verify(token).await {
        Ok(_) => panic!("this was accepted: {token:.80}"),
        Err(error) => error,
    };
    let shown = format!("{error} {error:?}");
    for part in token.split('.').filter(|part| part.len() >= 8) {
        assert!(!shown.contains(part), "a refusal repeats a part of the token: {shown:.200}");
    }
    error
}
