//! `[tls]`: the certificate of a server that ends TLS itself.

use std::{path::PathBuf, sync::Arc};

use realtime_adapters::front::{TlsCertificate, TlsError, TlsFiles};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    duration::Span,
    problems::{ConfigError, Problem, Problems},
    secret::base,
};

/// The certificate of a server that ends TLS itself (TLS 1.2 and 1.3). Without one, it needs a proxy with TLS in front
/// to be reachable from other machines. Certificates are not requested from an authority here (ACME): let a tool such
/// as certbot write the files, or let a proxy such as Caddy do both.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// A file with the certificate in PEM, followed by those between it and the root. It is read again when it
    /// changes; connections that are open stay, and a file that can't be used is logged and not applied.
    #[schemars(with = "Option<String>")]
    pub cert_file: Option<PathBuf>,
    /// A file with the private key of the certificate in PEM.
    #[schemars(with = "Option<String>")]
    pub key_file: Option<PathBuf>,
    /// How long the TLS handshake may take. Over it: disconnected.
    pub handshake_timeout: Span,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self { cert_file: None, key_file: None, handshake_timeout: Span::secs(10) }
    }
}

impl TlsConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.waits(&[("tls.handshake_timeout", self.handshake_timeout)]);
        match (&self.cert_file, &self.key_file) {
            (Some(_), None) => problems.add("tls.key_file", "is missing: the key of the certificate in tls.cert_file"),
            (None, Some(_)) => problems.add("tls.cert_file", "is missing: the certificate of the key in tls.key_file"),
            _ => {
                if let Err(error) = self.load() {
                    problems.add(key_of(&error), Self::shown(&error));
                }
            }
        }
    }

    /// Whether the server ends TLS.
    pub(super) fn is_on(&self) -> bool {
        self.cert_file.is_some()
    }

    /// The certificate, if one is configured.
    ///
    /// # Errors
    /// It can't be read or used.
    pub(crate) fn certificate(&self) -> Result<Option<Arc<TlsCertificate>>, ConfigError> {
        self.load().map_err(|error| ConfigError::Problems(vec![Problem::new(key_of(&error), Self::shown(&error))]))
    }

    /// The error, with the directory that the path of its file is relative to.
    fn shown(error: &TlsError) -> String {
        let path = match error {
            TlsError::Read { path, .. } | TlsError::Certificate(path) | TlsError::Key(path) => Some(path.as_path()),
            TlsError::Pair(_) => None,
        };
        format!("{error}{}", path.map(base).unwrap_or_default())
    }

    fn load(&self) -> Result<Option<Arc<TlsCertificate>>, TlsError> {
        let (Some(cert), Some(key)) = (self.cert_file.clone(), self.key_file.clone()) else { return Ok(None) };
        TlsCertificate::load(TlsFiles { cert, key }).map(|certificate| Some(Arc::new(certificate)))
    }
}

/// The setting that an error concerns.
fn key_of(error: &TlsError) -> &'static str {
    match error {
        TlsError::Certificate(_) => "tls.cert_file",
        TlsError::Key(_) => "tls.key_file",
        _ => "tls",
    }
}
