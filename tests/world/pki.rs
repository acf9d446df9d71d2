//! Authorities of a world's own, and what they certify.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// An authority whose certificate, and those that it signs, lie in one directory.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    place: PathBuf,
}

impl Authority {
    /// Makes one and writes its certificate to `<name>.pem`.
    pub fn new(place: &Path, name: &str) -> Self {
        fs::create_dir_all(place).expect("a directory");
        let mut params = params(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        fs::write(place.join(name).with_extension("pem"), issuer.pem()).expect("a certificate");
        Self {
            issuer,
            place: place.to_owned(),
        }
    }

    /// Certifies a new key: `<name>.pem` and `<name>.key`, which only its owner can read.
    pub fn certify(&self, name: &str, addresses: &[&str]) {
        let mut params = params(name, addresses);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let place = self.place.join(name);
        fs::write(place.with_extension("pem"), certificate.pem()).expect("a certificate");
        let place = place.with_extension("key");
        fs::write(&place, key.serialize_pem()).expect("a key");
        fs::set_permissions(&place, fs::Permissions::from_mode(0o600)).expect("its mode");
    }
}

fn params(name: &str, addresses: &[&str]) -> CertificateParams {
    let addresses: Vec<String> = addresses.iter().map(|&address| address.into()).collect();
    let mut params = CertificateParams::new(addresses).expect("names");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
