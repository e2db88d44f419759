//! The model beside the real file system: what a command finds, and what it has left.

use crate::disk::{Attribute, CHANGED, CREATED, Content, Disk, Id, Kind};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

impl Disk {
    /// All of a directory, durable.
    pub(crate) fn read(root: &Path) -> Disk {
        let mut disk = Disk::default();
        disk.read_node(root, &mut BTreeMap::new());
        disk
    }

    fn read_node(&mut self, path: &Path, known: &mut BTreeMap<u64, Id>) -> Id {
        let found = path.symlink_metadata().unwrap();
        if let Some(id) = known.get(&found.ino()) {
            return *id;
        }
        let kind = if found.is_symlink() {
            Kind::Link(std::fs::read_link(path).unwrap())
        } else if found.is_dir() {
            let (durable, seen) = Default::default();
            Kind::Directory { durable, seen }
        } else {
            let durable = std::fs::read(path).unwrap();
            Kind::File(Content {
                seen: durable.clone(),
                durable,
                ..Content::default()
            })
        };
        let id = self.add(kind, found.permissions().mode() & 0o7777);
        self.nodes[id].time = Attribute::new(found.modified().unwrap());
        self.nodes[id].inode = Some(found.ino());
        known.insert(found.ino(), id);
        if found.is_dir() {
            for entry in std::fs::read_dir(path).unwrap() {
                let entry = entry.unwrap();
                let child = self.read_node(&entry.path(), known);
                let name = entry.file_name().into_string().unwrap();
                let Kind::Directory { durable, seen } = &mut self.nodes[id].kind else {
                    unreachable!("a directory");
                };
                durable.insert(name.clone(), child);
                seen.insert(name, child);
            }
        }
        id
    }

    /// Looks up the times and inodes of what the recorded commands have left, and checks that the content is what this
    /// disk says.
    pub(crate) fn look_up(&mut self, root: &Path) {
        let mut paths = Vec::new();
        self.seen_below(0, String::new(), &mut paths);
        let left: BTreeSet<String> = paths.iter().map(|(path, _)| path.clone()).collect();
        let found: BTreeSet<String> = Disk::read(root).seen_paths();
        assert_eq!(left, found, "the recorded calls do not explain these files");
        for (path, id) in paths {
            let file = root.join(&path);
            let found = file.symlink_metadata().unwrap();
            if let Kind::File(content) = &self.nodes[id].kind {
                let is_explained = content.seen == std::fs::read(&file).unwrap();
                assert!(is_explained, "the recorded calls do not explain {path}");
            }
            let node = &mut self.nodes[id];
            node.inode = Some(found.ino());
            let changed = found.modified().unwrap();
            let created = found.created().unwrap_or(changed);
            let times = &mut node.time;
            for time in times.later.iter_mut().chain([&mut times.durable]) {
                match time.duration_since(CREATED) {
                    Ok(Duration::ZERO) => *time = created,
                    Ok(CHANGED) => *time = changed,
                    _ => {}
                }
            }
        }
    }

    /// Takes times and inodes from a disk to which the same has happened.
    pub(crate) fn take_lookup(&mut self, other: &Disk) {
        for (node, other) in self.nodes.iter_mut().zip(&other.nodes) {
            node.inode = other.inode;
            let last = other.time.later.last().unwrap_or(&other.time.durable);
            for time in node.time.later.iter_mut().chain([&mut node.time.durable]) {
                if *time <= CREATED + CHANGED {
                    *time = *last;
                }
            }
        }
    }

    fn seen_paths(&self) -> BTreeSet<String> {
        let mut paths = Vec::new();
        self.seen_below(0, String::new(), &mut paths);
        paths.into_iter().map(|(path, _)| path).collect()
    }

    fn seen_below(&self, at: Id, path: String, paths: &mut Vec<(String, Id)>) {
        if let Kind::Directory { seen, .. } = &self.nodes[at].kind {
            for (name, id) in seen {
                let path = format!("{path}/{name}").trim_start_matches('/').to_owned();
                self.seen_below(*id, path.clone(), paths);
                paths.push((path, *id));
            }
        }
    }
}
