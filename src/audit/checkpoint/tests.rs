use super::*;

const ORIGIN: &str = "chaperone/audit/0197c3a2-0000-7000-8000-000000000001";
const ROOT: Hash = [0xAB; 32];

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn note() -> String {
    sign(ORIGIN, 12, &ROOT, &key())
}

fn read(note: &str) -> Result<Checkpoint, NoteError> {
    open(note, &key().verifying_key(), ORIGIN)
}

/// A note over any text, correctly signed.
fn signed(text: &str) -> String {
    let key = key();
    let mut signature = key_id(ORIGIN, ED25519, key.verifying_key().as_bytes()).to_vec();
    signature.extend(key.sign(text.as_bytes()).to_bytes());
    format!("{text}\n\u{2014} {ORIGIN} {}\n", STANDARD.encode(signature))
}

#[test]
fn what_is_signed_is_read_back() {
    let checkpoint = read(&note()).unwrap();
    assert_eq!(&*checkpoint.origin, ORIGIN);
    assert_eq!(
        checkpoint.head,
        Head {
            size: 12,
            root: ROOT
        }
    );
}

#[test]
fn the_specifications_own_example_verifies() {
    let key =
        VerifierKey::parse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
            .unwrap();
    let note = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    // The signature holds; the text is no checkpoint, which is asked after it.
    assert_eq!(
        open(note, key.key(), "example.com/foo"),
        Err(NoteError::Body)
    );
    let changed = note.replace("example message", "example massage");
    assert_eq!(
        open(&changed, key.key(), "example.com/foo"),
        Err(NoteError::Signature)
    );
}

#[test]
fn a_verifier_key_survives_being_written_and_read() {
    let key = VerifierKey::new(ORIGIN, key().verifying_key()).unwrap();
    let text = key.to_string();
    assert_eq!(VerifierKey::parse(&text), Ok(key));
    for (bad, why) in [
        ("chaperone", VerifierKeyError::Shape),
        ("a+b", VerifierKeyError::Shape),
        (
            "a+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            VerifierKeyError::Id,
        ),
        (
            "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            VerifierKeyError::Id,
        ),
        (
            "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            VerifierKeyError::Key,
        ),
        (
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2",
            VerifierKeyError::Key,
        ),
        (
            "a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            VerifierKeyError::Name,
        ),
        (
            "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            VerifierKeyError::Name,
        ),
    ] {
        assert_eq!(VerifierKey::parse(bad), Err(why), "{bad}");
    }
}

#[test]
fn a_key_that_anybody_can_sign_for_is_refused() {
    // The neutral element of the curve.
    let mut point = [0; 32];
    point[0] = 1;
    let weak = VerifyingKey::from_bytes(&point).unwrap();
    assert_eq!(VerifierKey::new(ORIGIN, weak), Err(VerifierKeyError::Key));
}

#[test]
fn every_changed_bit_is_noticed() {
    let note = note();
    for bit in 0..note.len() * 8 {
        let mut bytes = note.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(changed) = String::from_utf8(bytes) {
            assert!(read(&changed).is_err(), "bit {bit}: {changed}");
        }
    }
}

#[test]
fn every_cut_and_addition_is_noticed() {
    let note = note();
    for end in (0..note.len()).filter(|end| note.is_char_boundary(*end)) {
        assert!(read(&note[..end]).is_err(), "{end}");
    }
    for more in [
        "\n",
        " ",
        "x",
        "\u{2014} ",
        "\u{2014} a b\n",
        "\u{2014} a AAAA\n",
    ] {
        assert!(read(&format!("{note}{more}")).is_err(), "{more:?}");
    }
}

#[test]
fn another_key_or_log_is_told_apart() {
    let other = SigningKey::from_bytes(&[8; 32]);
    let forged = sign(ORIGIN, 12, &ROOT, &other);
    assert_eq!(read(&forged), Err(NoteError::Unsigned));
    // The forger copies the key's identifier too.
    let id = STANDARD.encode(key_id(ORIGIN, ED25519, key().verifying_key().as_bytes()));
    let (head, signature) = forged.rsplit_once(' ').unwrap();
    let mut bytes = STANDARD.decode(signature.trim()).unwrap();
    bytes[..4].copy_from_slice(&STANDARD.decode(id).unwrap());
    let imitation = format!("{head} {}\n", STANDARD.encode(bytes));
    assert_eq!(read(&imitation), Err(NoteError::Signature));
    let elsewhere = signed(&format!("other\n12\n{}\n", STANDARD.encode(ROOT)));
    assert_eq!(read(&elsewhere), Err(NoteError::Origin));
}

#[test]
fn witnesses_are_ignored_and_our_own_line_counts_once() {
    let note = note();
    let witness = format!("\u{2014} witness.example {}\n", STANDARD.encode([1; 80]));
    assert!(read(&format!("{note}{witness}")).is_ok());
    let line = note.rsplit_once("\n\n").unwrap().1;
    assert_eq!(read(&format!("{note}{line}")), Err(NoteError::Duplicate));
    let text = note.rsplit_once("\n\n").unwrap().0;
    assert_eq!(
        read(&format!("{text}\n\n{witness}")),
        Err(NoteError::Unsigned)
    );
    // The same name with another key identifier is somebody else.
    let namesake = format!("\u{2014} {ORIGIN} {}\n", STANDARD.encode([1; 68]));
    assert!(read(&format!("{note}{namesake}")).is_ok());
}

#[test]
fn signed_texts_that_are_no_plain_checkpoint_are_refused() {
    let root = STANDARD.encode(ROOT);
    for text in [
        format!("{ORIGIN}\n012\n{root}\n"),
        format!("{ORIGIN}\n+12\n{root}\n"),
        format!("{ORIGIN}\n-1\n{root}\n"),
        format!("{ORIGIN}\n\n{root}\n"),
        format!("{ORIGIN}\n18446744073709551616\n{root}\n"),
        format!("{ORIGIN}\n12\n{root}\nextension\n"),
        format!("{ORIGIN}\n12\n{root}\n\n"),
        format!("{ORIGIN}\n12\n\n"),
        format!("{ORIGIN}\n12\n"),
        format!("\n12\n{root}\n"),
        format!("{ORIGIN}\n12\n{}\n", STANDARD.encode([1; 31])),
        format!("{ORIGIN}\n12\n{}\n", root.trim_end_matches('=')),
        format!("{ORIGIN}\n12\n{}\n", root.replace("s=", "t=")),
        format!("{ORIGIN}\n12 \n{root}\n"),
    ] {
        assert_eq!(read(&signed(&text)), Err(NoteError::Body), "{text:?}");
    }
    assert!(read(&signed(&format!("{ORIGIN}\n0\n{root}\n"))).is_ok());
}

/// Base64 whose last character carries bits that no byte has says the same in two spellings.
#[test]
fn signatures_in_another_spelling_are_refused() {
    let note = note();
    let body = note.strip_suffix("=\n").unwrap();
    let (rest, last) = body.split_at(body.len() - 1);
    for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".chars() {
        let same = last.starts_with(c);
        assert_eq!(read(&format!("{rest}{c}=\n")).is_ok(), same, "{c}");
    }
    assert_eq!(read(&format!("{body}\n")), Err(NoteError::SignatureLine));
    assert_eq!(read(&note.replace('\n', "\r\n")), Err(NoteError::Shape));
}

/// Adding the group's order to the scalar half makes a second valid-looking signature.
#[test]
fn a_malleable_signature_is_refused() {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let note = note();
    let (head, signature) = note.rsplit_once(' ').unwrap();
    let mut bytes = STANDARD.decode(signature.trim()).unwrap();
    let mut carry = 0;
    for (byte, add) in bytes[36..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = u8::try_from(sum & 0xFF).unwrap();
        carry = sum >> 8;
    }
    let twin = format!("{head} {}\n", STANDARD.encode(bytes));
    assert_eq!(read(&twin), Err(NoteError::Signature));
}

fn vkey(name: &str, kind: u8, key: &[u8]) -> String {
    let id = u32::from_be_bytes(key_id(name, kind, key));
    let key = STANDARD.encode([&[kind], key].concat());
    format!("{name}+{id:08x}+{key}")
}

/// A witness of each kind, and how it signs the note at the given second.
pub struct Witness {
    pub key: WitnessKey,
    sign: Sign,
}

type Sign = Box<dyn Fn(&str, u64) -> Vec<u8>>;

pub fn witnesses() -> [Witness; 2] {
    use aws_lc_rs::signature::{KeyPair as _, ML_DSA_44_SIGNING, PqdsaKeyPair};
    let name = "witness.example/w1";
    let ed = SigningKey::from_bytes(&[9; 32]);
    let key = vkey(name, 4, ed.verifying_key().as_bytes());
    let by_ed = Witness {
        key: WitnessKey::parse(&key).unwrap(),
        sign: Box::new(move |text, seconds| {
            let message = format!("cosignature/v1\ntime {seconds}\n{text}");
            ed.sign(message.as_bytes()).to_bytes().to_vec()
        }),
    };
    let ml = PqdsaKeyPair::generate(&ML_DSA_44_SIGNING).unwrap();
    let key = vkey(name, 6, ml.public_key().as_ref());
    let by_ml = Witness {
        key: WitnessKey::parse(&key).unwrap(),
        sign: Box::new(move |text, seconds| {
            let body = parse_body(text).unwrap();
            let mut message = b"subtree/v1\n\0\x12witness.example/w1".to_vec();
            message.extend(seconds.to_be_bytes());
            message.push(u8::try_from(body.origin.len()).unwrap());
            message.extend(body.origin.as_bytes());
            message.extend([0; 8]);
            message.extend(body.head.size.to_be_bytes());
            message.extend(body.head.root);
            let mut signature = vec![0; ml.algorithm().signature_len()];
            ml.sign(&message, &mut signature).unwrap();
            signature
        }),
    };
    [by_ed, by_ml]
}

pub const SECONDS: u64 = 1_679_315_147;

pub fn cosigned_by(note: &str, witness: &Witness, seconds: u64) -> String {
    let text = Note::parse(note).unwrap().text.to_owned();
    let mut signature = seconds.to_be_bytes().to_vec();
    signature.extend((witness.sign)(&text, seconds));
    let public = witness.key.to_string();
    let id = u32::from_str_radix(public.split('+').nth(1).unwrap(), 16).unwrap();
    format!(
        "{note}{}",
        note::line(witness.key.name(), id.to_be_bytes(), &signature)
    )
}

#[test]
fn cosignatures_say_who_saw_which_head_when() {
    for witness in witnesses() {
        let cosigned_note = cosigned_by(&note(), &witness, SECONDS);
        let found = cosigned(&cosigned_note, &witness.key).unwrap().unwrap();
        assert_eq!(found.checkpoint, read(&note()).unwrap());
        assert_eq!(found.time.to_string(), "2023-03-20T12:25:47.000Z");
        assert_eq!(read(&cosigned_note), read(&note()));
        assert_eq!(cosigned(&note(), &witness.key), Ok(None));
        let text = witness.key.to_string();
        assert_eq!(WitnessKey::parse(&text).unwrap(), witness.key);
    }
}

#[test]
fn wrong_cosignatures_are_refused() {
    for witness in witnesses() {
        let good = cosigned_by(&note(), &witness, SECONDS);
        let refused = |text: &str| cosigned(text, &witness.key).is_err();
        assert!(refused(&good.replace("\n12\n", "\n13\n")));
        assert!(refused(&cosigned_by(&good, &witness, SECONDS)), "twice");
        assert!(refused(&cosigned_by(&note(), &witness, 0)), "no time");
        assert!(
            refused(&cosigned_by(&note(), &witness, u64::MAX)),
            "no time that there is"
        );
        let start = note().len();
        // The line's name and identifier say whose it is; what follows is the signature.
        let signature = good[start..].rfind(' ').unwrap() + 1 + start + 6;
        for at in (signature..good.len() - 8).step_by(7) {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert!(refused(&String::from_utf8(bytes).unwrap()), "{at}");
        }
    }
}

#[test]
fn only_keys_for_cosignatures_are_a_witness() {
    let [ed, ml] = witnesses();
    for (text, why) in [
        (
            VerifierKey::new(ORIGIN, key().verifying_key())
                .unwrap()
                .to_string(),
            VerifierKeyError::WitnessKey,
        ),
        (
            ed.key.to_string().replace("w1+", "w2+"),
            VerifierKeyError::Id,
        ),
        (
            ml.key.to_string()[..400].to_owned(),
            VerifierKeyError::WitnessKey,
        ),
        ("witness".to_owned(), VerifierKeyError::Shape),
    ] {
        assert_eq!(WitnessKey::parse(&text), Err(why), "{text}");
    }
}
