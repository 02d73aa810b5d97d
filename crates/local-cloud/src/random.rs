//! Random names, ids and secrets.

use secrecy::SecretString;

const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const ADJECTIVES: &[&str] = &[
    "amber", "brisk", "calm", "damp", "eager", "faint", "gentle", "hidden", "icy", "jolly", "late", "mellow", "noble", "plain", "quiet",
    "rapid", "shy", "tidy", "vast", "warm",
];
const NOUNS: &[&str] = &[
    "bay", "cloud", "dawn", "ember", "field", "glade", "harbor", "isle", "lake", "meadow", "night", "orchard", "pond", "ridge", "snow",
    "thicket", "union", "valley", "wave", "wind",
];

/// Fills the buffer from the operating system's generator.
fn fill(buffer: &mut [u8]) {
    // ring fails only where the system has no generator at all; these secrets guard loopback addresses, so go on even then.
    if rustls::crypto::ring::default_provider().secure_random.fill(buffer).is_err() {
        fastrand::fill(buffer);
    }
}

/// That many letters and digits.
pub(crate) fn alphanumeric(length: usize) -> String {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0u8; 64];
        fill(&mut bytes);
        // 248 is the largest multiple of 62 in a byte: above it the first letters would come up more often.
        text.extend(bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(ALPHANUMERIC[usize::from(byte % 62)])));
    }
    text.truncate(length);
    text
}

/// A secret of that many letters and digits behind a prefix.
pub(crate) fn secret(prefix: &str, length: usize) -> SecretString {
    SecretString::from(format!("{prefix}{}", alphanumeric(length)))
}

/// A random (version 4) UUID.
pub(crate) fn uuid() -> String {
    let mut bytes = [0u8; 16];
    fill(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Two words, as Neon names its projects, branches and endpoints.
pub(crate) fn words() -> String {
    let pick = |list: &[&'static str]| fastrand::choice(list.iter().copied()).unwrap_or("plain");
    format!("{}-{}", pick(ADJECTIVES), pick(NOUNS))
}

/// Eight digits.
pub(crate) fn digits() -> String {
    format!("{:08}", fastrand::u32(0..100_000_000))
}
