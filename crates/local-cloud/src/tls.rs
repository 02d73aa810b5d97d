//! The certificate authority that vouches for everything in the simulated clouds. Its key never leaves memory.

use std::net::Ipv4Addr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use crate::error::{Doing, Result};

/// The authority whose certificate is written to `ca.pem`.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A server's certificate with its key.
pub(crate) struct Certificate {
    pub(crate) chain_pem: String,
    pub(crate) key_pem: SecretString,
    chain: Vec<CertificateDer<'static>>,
    key: SecretSlice<u8>,
}

impl Authority {
    pub(crate) fn new() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new()).doing(|| "preparing the certificate authority")?;
        params.distinguished_name.push(DnType::CommonName, "azure2neon local cloud");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().doing(|| "making the authority's key")?;
        let issuer = CertifiedIssuer::self_signed(params, key).doing(|| "signing the authority's certificate")?;
        Ok(Self { issuer })
    }

    /// The authority's own certificate.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Issues a server certificate for these names (a leading `*` label is a wildcard) and addresses.
    pub(crate) fn issue(&self, names: &[&str], addresses: &[Ipv4Addr]) -> Result<Certificate> {
        let what = || format!("issuing a certificate for {}", names.join(", "));
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).doing(what)?;
        params.subject_alt_names.extend(addresses.iter().map(|address| SanType::IpAddress((*address).into())));
        params.distinguished_name.push(DnType::CommonName, names.first().copied().unwrap_or("local cloud"));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().doing(what)?;
        let certificate = params.signed_by(&key, &self.issuer).doing(what)?;
        Ok(Certificate {
            chain_pem: format!("{}{}", certificate.pem(), self.issuer.pem()),
            key_pem: SecretString::from(key.serialize_pem()),
            chain: vec![certificate.der().clone(), self.issuer.der().clone()],
            key: SecretSlice::from(key.serialize_der()),
        })
    }
}

impl Certificate {
    /// A TLS server that shows this certificate.
    pub(crate) fn server_config(&self) -> Result<Arc<ServerConfig>> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.expose_secret().to_vec()));
        // The provider is named here, so that a library user need not have installed one for the process.
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .doing(|| "configuring TLS")?
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .doing(|| "configuring TLS")?;
        Ok(Arc::new(config))
    }
}
