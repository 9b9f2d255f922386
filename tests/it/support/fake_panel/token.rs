//! Signed, expiring download links: the node's JWT and the S3 disk's presigned query.

use sha2::Digest;
use sha2::Sha256;

/// HMAC-SHA-256 (RFC 2104).
pub(super) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    const BLOCK_BYTES: usize = 64;
    let hashed = Sha256::digest(key);
    let mut padded: Vec<u8> = if key.len() > BLOCK_BYTES {
        hashed.to_vec()
    } else {
        key.to_vec()
    };
    padded.resize(BLOCK_BYTES, 0);
    let with = |pad: u8| padded.iter().map(|byte| byte ^ pad).collect::<Vec<u8>>();
    let inner = Sha256::new()
        .chain_update(with(0x36))
        .chain_update(message)
        .finalize();
    Sha256::new()
        .chain_update(with(0x5c))
        .chain_update(inner)
        .finalize()
        .into()
}

/// A token as the panel signs it for a node (HS256).
pub(super) fn sign(key: &[u8], claims: &serde_json::Value) -> String {
    let header = serde_json::json!({"typ": "JWT", "alg": "HS256"});
    let message = format!(
        "{}.{}",
        base64url(header.to_string().as_bytes()),
        base64url(claims.to_string().as_bytes())
    );
    let signature = base64url(&hmac_sha256(key, message.as_bytes()));
    format!("{message}.{signature}")
}

/// Whether a token carries this key's signature.
pub(super) fn is_signed(key: &[u8], token: &str) -> bool {
    token.rsplit_once('.').is_some_and(|(message, signature)| {
        base64url(&hmac_sha256(key, message.as_bytes())) == signature
    })
}

/// Base64 with the alphabet for URLs, unpadded (RFC 4648 section 5).
fn base64url(bytes: &[u8]) -> String {
    spell(
        bytes,
        6,
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    )
}

/// Base 32 in lower case, unpadded: how newer panels spell a server's uuid.
pub(super) fn base32(bytes: &[u8]) -> String {
    spell(bytes, 5, b"abcdefghijklmnopqrstuvwxyz234567")
}

fn spell(bytes: &[u8], bits_each: u32, alphabet: &[u8]) -> String {
    let mut text = String::new();
    let mut held: u32 = 0;
    let mut held_bits = 0;
    let mut put = |value: u32| {
        let letter = alphabet.get(value as usize).copied().unwrap_or(b'?');
        text.push(char::from(letter));
    };
    let mask = (1 << bits_each) - 1;
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        held_bits += 8;
        while held_bits >= bits_each {
            held_bits -= bits_each;
            put((held >> held_bits) & mask);
        }
        held &= (1 << held_bits) - 1;
    }
    if held_bits > 0 {
        put((held << (bits_each - held_bits)) & mask);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mac_and_the_spelling_agree_with_published_vectors() {
        // RFC 4231 test case 2; RFC 4648 section 10.
        assert_eq!(
            hex::encode(hmac_sha256(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(base64url(b"fooba"), "Zm9vYmE");
        assert_eq!(base32(b"fooba"), "mzxw6ytb");
    }

    #[test]
    fn a_token_with_one_letter_changed_is_not_signed() {
        let token = sign(b"key", &serde_json::json!({"exp": 1}));
        assert!(is_signed(b"key", &token));
        assert!(!is_signed(b"other", &token));
        assert!(!is_signed(b"key", &token.replacen('e', "f", 1)));
    }
}
