use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256};

use super::*;

/// A certificate and its key.
fn pair(key: &KeyPair) -> (String, String) {
    let params = CertificateParams::new(vec!["device".to_owned()]).unwrap();
    (params.self_signed(key).unwrap().pem(), key.serialize_pem())
}

#[test]
fn a_certificate_goes_with_its_own_key_of_any_kind() {
    for kind in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519, &PKCS_RSA_SHA256] {
        let (chain, key) = pair(&KeyPair::generate_for(kind).unwrap());
        // Others may stand in either file, and what stands around them is prose.
        let both = format!("The device's:\n{key}\n{chain}");
        assert!(Identity::from_pem(chain.as_bytes(), key.trim_end().as_bytes()).is_ok());
        let identity = Identity::from_pem(both.as_bytes(), both.as_bytes()).unwrap();
        assert_eq!(format!("{identity:?}"), "Identity(..)");
        assert!(check_key(key.as_bytes()).is_ok());
    }
}

#[test]
fn what_cannot_be_used_is_told_and_never_repeated() {
    let (chain, key) = pair(&KeyPair::generate().unwrap());
    let (_, other) = pair(&KeyPair::generate().unwrap());
    let label = |label: &str, text: &str| {
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    };
    let encrypted = label("ENCRYPTED PRIVATE KEY", "c2VjcmV0");
    let older = label(
        "RSA PRIVATE KEY",
        "Proc-Type: 4,ENCRYPTED\nDEK-Info: x\n\nc2VjcmV0",
    );
    let unknown = label("PRIVATE KEY", "c2VjcmV0");
    let cut = key.replace("-----END", "");
    let no_certificate = label("CERTIFICATE", "c2VjcmV0");
    for (chain, key, told) in [
        ("", &key, "no client certificate in PEM form"),
        (&key, &key, "no client certificate in PEM form"),
        (
            &no_certificate,
            &key,
            "the client certificate cannot be read",
        ),
        (&chain, &chain, "no private key in PEM form"),
        (&chain, &cut, "no private key in PEM form"),
        (&chain, &encrypted, "the private key is encrypted"),
        (&chain, &older, "the private key is encrypted"),
        (&chain, &unknown, "of a kind that is not known"),
        (&chain, &other, "not that of the client certificate"),
    ] {
        let error = Identity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err();
        let text = format!("{} {error:?}", crate::wording::chain(&error));
        assert!(text.contains(told), "{told}: {text}");
        assert!(
            !text.contains("c2VjcmV0") && !text.contains("secret"),
            "{text}"
        );
    }
}

#[test]
fn faults_of_tls_are_found_under_others() {
    let of = |error: rustls::Error| plainly(&io::Error::other(io::Error::other(error))).unwrap();
    let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
    assert!(of(unknown).contains("`ca_file`"));
    let expired = rustls::Error::InvalidCertificate(CertificateError::Expired);
    assert!(of(expired).starts_with("its certificate is not accepted: "));
    for (alert, told) in [
        (AlertDescription::CertificateRequired, "`client_cert`"),
        (AlertDescription::HandshakeFailure, "`client_cert`"),
        (
            AlertDescription::UnknownCA,
            "does not accept the client certificate",
        ),
        (AlertDescription::InternalError, "InternalError"),
    ] {
        let text = of(rustls::Error::AlertReceived(alert));
        assert!(text.contains(told), "{text}");
    }
    assert_eq!(plainly(&io::Error::other("something else")), None);
}
