//! One TLS configuration for PostgreSQL and HTTP alike: the certificate and the host name are always verified.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use rustls_platform_verifier::BuilderVerifierExt;

use crate::error::{Error, ErrorKind, Result};

/// A client configuration that verifies chain and host name: against `ca_file` (PEM) alone if given, else as the platform does.
///
/// # Errors
/// [`ErrorKind::Tls`] if the file can't be read or holds no certificate, or the platform has no trust store.
pub fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Tls, "set TLS up", error.to_string()))?;
    let Some(path) = ca_file else {
        let builder = builder
            .with_platform_verifier()
            .map_err(|error| Error::new(ErrorKind::Tls, "open the platform's certificates", error.to_string()))?;
        return Ok(builder.with_no_client_auth());
    };
    let refuse = |why: String| Error::new(ErrorKind::Tls, format!("read the certificates in {}", path.display()), why);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| refuse(error.to_string()))? {
        let certificate = certificate.map_err(|error| refuse(error.to_string()))?;
        roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(refuse("the file holds no certificate".to_owned()));
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
