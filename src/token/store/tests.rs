//! What storing leaves, and what becomes of each state that a kill leaves.

use super::*;
use std::os::unix::fs::PermissionsExt;

fn tokens(generation: u64) -> TokenFile {
    let json = format!(
        r#"{{"version":1,"generation":{generation},"client_id":"c","access_token":"AT-{generation}","refresh_token":"RT-{generation}","expires_at":0}}"#
    );
    TokenFile::parse(json.as_bytes()).unwrap()
}

fn store() -> (tempfile::TempDir, TokenStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = TokenStore::at(&directory.path().join("token.json")).unwrap();
    store.install(&tokens(1)).unwrap();
    (directory, store)
}

#[test]
fn each_state_that_a_kill_leaves_is_recovered() {
    let padded = |bytes: &[u8]| [bytes, &[b' '; RESERVED]].concat();
    let new = tokens(2).to_bytes();
    for (what, left, generation, rescued) in [
        ("a reservation", padded(b""), 1, false),
        ("half a reservation", vec![b' '; 100], 1, false),
        ("nothing in it", vec![], 1, false),
        ("a rehearsal", tokens(1).to_bytes().to_vec(), 1, false),
        (
            "half a rehearsal",
            tokens(1).to_bytes()[..20].to_vec(),
            1,
            false,
        ),
        ("new tokens", padded(&new), 2, false),
        ("new tokens, cut to length", new.to_vec(), 2, false),
        ("an answer not understood", padded(b"<html>"), 1, true),
    ] {
        let (_directory, store) = store();
        std::fs::write(store.beside(".next"), left).unwrap();
        std::fs::set_permissions(store.beside(".next"), PermissionsExt::from_mode(0o600)).unwrap();
        crate::token::recovery::recover(&store).unwrap();
        assert_eq!(store.load().unwrap().generation, generation, "{what}");
        assert!(!store.beside(".next").exists() || generation == 2, "{what}");
        assert!(!store.beside(".next").exists(), "{what}");
        assert_eq!(store.beside(".rescued").exists(), rescued, "{what}");
    }
}

#[test]
fn new_tokens_without_an_old_file_are_activated() {
    let (_directory, store) = store();
    std::fs::remove_file(store.path()).unwrap();
    std::fs::write(store.beside(".next"), tokens(7).to_bytes()).unwrap();
    std::fs::set_permissions(store.beside(".next"), PermissionsExt::from_mode(0o600)).unwrap();
    crate::token::recovery::recover(&store).unwrap();
    assert_eq!(store.load().unwrap().generation, 7);
}

#[test]
fn storing_leaves_one_tidy_private_file() {
    let (directory, store) = store();
    store.prepare().unwrap().store(&tokens(2)).unwrap();
    let content = std::fs::read(store.path()).unwrap();
    assert_eq!(content, tokens(2).to_bytes().as_slice());
    let mode = std::fs::metadata(store.path())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn an_unused_journal_is_removed_and_a_kept_answer_never_replaces_another() {
    let (_directory, store) = store();
    drop(store.prepare().unwrap());
    assert!(!store.beside(".next").exists());
    for n in ["", ".2", ".3"] {
        let kept = store.prepare().unwrap().keep_unparsed(b"odd").unwrap();
        assert_eq!(kept, store.beside(&format!(".rescued{n}")));
    }
}

#[test]
fn a_symlink_stays_a_symlink() {
    let (directory, store) = store();
    let link = directory.path().join("link.json");
    std::os::unix::fs::symlink("token.json", &link).unwrap();
    let through = TokenStore::at(&link).unwrap();
    assert_eq!(through.path(), store.path());
}
