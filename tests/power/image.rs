//! Makes a directory hold a state of the model. Files that exist keep their inodes, which the ledger may have recorded.

use crate::states::{State, What};
use crate::support::{files_below, set_mode};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where files wait while everything else is removed.
const POOL: &str = ".pool";

impl State {
    /// Replaces all that is in `root`.
    pub(crate) fn put_into(&self, root: &Path) {
        let mut pool = self.keep_files(root);
        let mut placed: BTreeMap<usize, PathBuf> = BTreeMap::new();
        for (path, item) in &self.0 {
            let to = root.join(path);
            match &item.what {
                What::Directory if path.is_empty() => {}
                What::Directory => std::fs::create_dir(&to).unwrap(),
                What::Link(target) => std::os::unix::fs::symlink(target, &to).unwrap(),
                What::File(_) if placed.contains_key(&item.id) => {
                    std::fs::hard_link(&placed[&item.id], &to).unwrap();
                }
                What::File(content) => {
                    if let Some(kept) = item.inode.and_then(|inode| pool.remove(&inode)) {
                        std::fs::rename(kept, &to).unwrap();
                        set_mode(&to, 0o600);
                    }
                    std::fs::write(&to, content).unwrap();
                    set_mode(&to, item.mode);
                    File::open(&to).unwrap().set_modified(item.time).unwrap();
                    placed.insert(item.id, to);
                }
            }
        }
        std::fs::remove_dir_all(root.join(POOL)).unwrap();
        for (path, item) in self.0.iter().rev() {
            if item.what == What::Directory && !path.is_empty() {
                set_mode(&root.join(path), item.mode);
            }
        }
    }

    /// Moves the files that it has into the pool and removes all others; returns where they are, by inode.
    fn keep_files(&self, root: &Path) -> BTreeMap<u64, PathBuf> {
        let found = files_below(root);
        let names = std::fs::read_dir(root).unwrap();
        let before: Vec<PathBuf> = names.map(|entry| entry.unwrap().path()).collect();
        let pool = root.join(POOL);
        std::fs::create_dir(&pool).unwrap();
        let wanted: Vec<u64> = self.0.values().filter_map(|item| item.inode).collect();
        let mut kept = BTreeMap::new();
        for file in found.into_iter().filter(|file| !file.is_symlink()) {
            let inode = file.metadata().unwrap().ino();
            if wanted.contains(&inode) {
                let to = pool.join(inode.to_string());
                std::fs::rename(&file, &to).unwrap();
                kept.insert(inode, to);
            }
        }
        for path in before {
            if path.is_dir() && !path.is_symlink() {
                std::fs::remove_dir_all(path).unwrap();
            } else if path.symlink_metadata().is_ok() {
                std::fs::remove_file(path).unwrap();
            }
        }
        kept
    }
}
