//! Identity files, good and bad.

use std::path::PathBuf;

use nestegg::model::outcome::chain;
use nestegg::transfer::unseal::Error;
use nestegg::transfer::unseal::Identities;

use super::AgeKey;
use super::fixture;
use crate::support::world::World;

/// What reading this text as an identity file says: message and hint.
fn refusal(world: &World, text: &str) -> String {
    let path = world.path("key.txt");
    std::fs::write(&path, text).unwrap();
    let error = Identities::read(&[path]).unwrap_err();
    told(&error).replace(world.path("").to_str().unwrap(), "")
}

fn told(error: &Error) -> String {
    assert!(!error.hint().is_empty());
    chain(error)
}

#[tokio::test]
async fn what_age_and_ssh_write_is_read() {
    let world = World::new().await;
    let (one, two) = (AgeKey::new(), AgeKey::new());
    let several = world.path("several.txt");
    let text = format!("# two\r\n{}\r\n\r\n  {}  \n#", one.private, two.private);
    std::fs::write(&several, text).unwrap();
    let ssh = std::fs::read_to_string(fixture("ed25519")).unwrap();
    let windows = world.path("windows");
    std::fs::write(&windows, ssh.trim_end().replace('\n', "\r\n")).unwrap();
    let files = [several, windows, fixture("ed25519"), fixture("rsa")];
    let read = Identities::read(&files).unwrap();
    assert!(!read.is_empty());
    assert_eq!(format!("{read:?}"), "Identities { keys: 5 }");
    assert!(Identities::read(&[]).unwrap().is_empty());
}

#[tokio::test]
async fn what_is_no_identity_is_told_apart_and_never_repeated() {
    let world = World::new().await;
    let key = AgeKey::new();
    for (text, message) in [
        (String::new(), "`key.txt` holds no private key".to_owned()),
        (
            "# only this\n".to_owned(),
            "`key.txt` holds no private key".to_owned(),
        ),
        (
            format!("# one\n{}\n", key.public),
            "line 2 of `key.txt` is a public key, which opens nothing".to_owned(),
        ),
        (
            super::public_fixture("ed25519"),
            "line 1 of `key.txt` is a public key, which opens nothing".to_owned(),
        ),
        (
            key.private.to_lowercase().replace("age-secret", "secret"),
            "line 1 of `key.txt` is no private key of age or SSH".to_owned(),
        ),
        (
            "AGE-PLUGIN-YUBIKEY-1XYZ\n".to_owned(),
            "line 1 of `key.txt` is a key of an age plugin, and plugins are not run".to_owned(),
        ),
        (
            "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n".to_owned(),
            "the private key in `key.txt` is protected by a passphrase".to_owned(),
        ),
        (
            "age-encryption.org/v1\n-> scrypt x 18\n".to_owned(),
            "the private key in `key.txt` is protected by a passphrase".to_owned(),
        ),
        (
            "x".repeat((1 << 20) + 1),
            "`key.txt` is no identity file: it is longer than 1 MiB".to_owned(),
        ),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nnonsense\n".to_owned(),
            "line 1 of `key.txt` is no private key of age or SSH".to_owned(),
        ),
    ] {
        assert_eq!(refusal(&world, &text), message);
    }
    let locked = Identities::read(&[fixture("locked")]).unwrap_err();
    assert!(matches!(locked, Error::Passphrase { .. }), "{locked:?}");
    assert!(locked.hint().contains("ssh-keygen -p"), "{}", locked.hint());
    let other = Identities::read(&[fixture("ecdsa")]).unwrap_err();
    assert!(matches!(other, Error::OtherSsh { .. }), "{other:?}");
    let missing = Identities::read(&[PathBuf::from("/no/such/key")]).unwrap_err();
    assert!(
        told(&missing).starts_with("could not read the identity file `/no/such/key`"),
        "{missing}"
    );
    let folder = Identities::read(&[world.path("")]).unwrap_err();
    assert!(matches!(folder, Error::Read { .. }), "{folder:?}");
}
