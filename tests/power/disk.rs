//! A disk with a cache in front of it: what is durable, and which changes are still on their way.
//!
//! POSIX promises: the content, length, mode and time of a file last once the file was synced; an entry of a directory
//! lasts once that directory was synced. A rename is one change. Nothing else is ordered, except changes of one entry,
//! and of one block.

use crate::record::Event;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

/// The number of a file or directory; the root's is 0.
pub(crate) type Id = usize;

/// The umask of the recorded commands.
const UMASK: u32 = 0o022;

/// Stand for the time at which a file was created, and for that of its last change, until [`Disk::look_up`].
pub(crate) const CREATED: SystemTime = SystemTime::UNIX_EPOCH;
pub(crate) const CHANGED: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    pub(crate) nodes: Vec<Node>,
    /// Changes of entries that are not durable, oldest first.
    pub(crate) changes: Vec<EntryChange>,
}

/// A file or a directory.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) mode: Attribute<u32>,
    /// Of the last change.
    pub(crate) time: Attribute<SystemTime>,
    /// In the real file system.
    pub(crate) inode: Option<u64>,
}

#[derive(Clone)]
pub(crate) enum Kind {
    File(Content),
    /// The durable entries, and those that a process sees.
    Directory {
        durable: BTreeMap<String, Id>,
        seen: BTreeMap<String, Id>,
    },
    Link(std::path::PathBuf),
}

/// The content of a file.
#[derive(Clone, Default)]
pub(crate) struct Content {
    pub(crate) durable: Vec<u8>,
    /// Not durable, oldest first.
    pub(crate) changes: Vec<Change>,
    pub(crate) seen: Vec<u8>,
    pub(crate) position: u64,
    pub(crate) appends: bool,
}

#[derive(Clone)]
pub(crate) enum Change {
    Write { at: u64, bytes: Vec<u8> },
    Length(u64),
}

/// A value, and later ones that are not durable.
#[derive(Clone)]
pub(crate) struct Attribute<T> {
    pub(crate) durable: T,
    pub(crate) later: Vec<T>,
}

impl<T: Clone> Attribute<T> {
    pub(crate) fn new(durable: T) -> Attribute<T> {
        Attribute {
            durable,
            later: Vec::new(),
        }
    }

    fn sync(&mut self) {
        if let Some(last) = self.later.pop() {
            self.durable = last;
            self.later.clear();
        }
    }
}

/// One change of entries: both ends of a rename, else one entry. `None`: removed.
#[derive(Clone)]
pub(crate) struct EntryChange(pub(crate) Vec<((Id, String), Option<Id>)>);

impl EntryChange {
    pub(crate) fn touches(&self, keys: &BTreeSet<(Id, String)>) -> bool {
        self.0.iter().any(|(key, _)| keys.contains(key))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = (Id, String)> {
        self.0.iter().map(|(key, _)| key.clone())
    }
}

impl Disk {
    pub(crate) fn add(&mut self, kind: Kind, mode: u32) -> Id {
        self.nodes.push(Node {
            kind,
            mode: Attribute::new(mode),
            time: Attribute::new(CREATED),
            inode: None,
        });
        self.nodes.len() - 1
    }

    /// What a process sees at that path.
    fn find(&self, path: &str) -> Option<Id> {
        path.split('/')
            .filter(|name| !name.is_empty())
            .try_fold(0, |at, name| match &self.nodes[at].kind {
                Kind::Directory { seen, .. } => seen.get(name).copied(),
                _ => None,
            })
    }

    fn entry(&self, path: &str) -> Option<(Id, String)> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        Some((self.find(parent)?, name.to_owned()))
    }

    fn change_entries(&mut self, changes: Vec<((Id, String), Option<Id>)>) {
        for ((directory, name), id) in &changes {
            if let Kind::Directory { seen, .. } = &mut self.nodes[*directory].kind {
                match id {
                    Some(id) => seen.insert(name.clone(), *id),
                    None => seen.remove(name),
                };
            }
        }
        self.changes.push(EntryChange(changes));
    }

    /// Carries out one event.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::Asked => {}
            Event::SetTime { path } => {
                if let Some(id) = self.find(path) {
                    self.nodes[id].time.later.push(CREATED + CHANGED);
                }
            }
            Event::Open {
                path,
                mode,
                truncates,
                appends,
            } => self.open(path, *mode, *truncates, *appends),
            Event::Write { path, at, bytes } => self.write(path, *at, bytes),
            Event::Copy { from, to, length } => self.copy(from, to, *length),
            Event::Truncate { path, length } => {
                if let Some(content) = self.changed_content(path) {
                    content.set_length(*length);
                }
            }
            Event::Sync { path } => {
                if let Some(id) = self.find(path) {
                    self.sync(id);
                }
            }
            Event::Rename { from, to } => {
                if let (Some(old), Some(new)) = (self.entry(from), self.entry(to)) {
                    let id = self.find(from);
                    self.change_entries(vec![(old, None), (new, id)]);
                }
            }
            Event::Link { from, to } => {
                if let Some(new) = self.entry(to) {
                    let id = self.find(from);
                    self.change_entries(vec![(new, id)]);
                }
            }
            Event::Unlink { path } => {
                if let Some(old) = self.entry(path) {
                    self.change_entries(vec![(old, None)]);
                }
            }
            Event::Mkdir { path, mode } => {
                if let Some(entry) = self.entry(path) {
                    let (durable, seen) = Default::default();
                    let id = self.add(Kind::Directory { durable, seen }, mode & !UMASK);
                    self.change_entries(vec![(entry, Some(id))]);
                }
            }
            Event::Chmod { path, mode } => {
                if let Some(id) = self.find(path) {
                    self.nodes[id].mode.later.push(*mode);
                }
            }
        }
    }

    /// The content of a file that is being changed.
    fn changed_content(&mut self, path: &str) -> Option<&mut Content> {
        let id = self.find(path)?;
        let node = &mut self.nodes[id];
        node.time.later.push(CREATED + CHANGED);
        match &mut node.kind {
            Kind::File(content) => Some(content),
            _ => None,
        }
    }

    fn open(&mut self, path: &str, mode: Option<u32>, truncates: bool, appends: bool) {
        if self.find(path).is_none()
            && let (Some(mode), Some(entry)) = (mode, self.entry(path))
        {
            let id = self.add(Kind::File(Content::default()), mode & !UMASK);
            self.change_entries(vec![(entry, Some(id))]);
        }
        let Some(id) = self.find(path) else {
            return;
        };
        let node = &mut self.nodes[id];
        if let Kind::File(content) = &mut node.kind {
            content.position = 0;
            content.appends = appends;
            if truncates && !content.seen.is_empty() {
                content.set_length(0);
                node.time.later.push(CREATED + CHANGED);
            }
        }
    }

    fn copy(&mut self, from: &str, to: &str, length: u64) {
        let from = self.find(from).map(|id| self.nodes[id].kind.clone());
        let position = self.changed_content(to).map(|content| content.position);
        if let (Some(Kind::File(from)), Some(at)) = (from, position) {
            let bytes = &from.seen[at as usize..(at + length) as usize];
            self.write(to, Some(at), bytes);
        }
    }

    fn write(&mut self, path: &str, at: Option<u64>, bytes: &[u8]) {
        if let Some(content) = self.changed_content(path) {
            let end = content.seen.len() as u64;
            let position = if content.appends {
                end
            } else {
                content.position
            };
            let at = at.unwrap_or(position);
            content.position = at + bytes.len() as u64;
            content.changes.push(Change::Write {
                at,
                bytes: bytes.to_vec(),
            });
            overlay(&mut content.seen, at, bytes);
        }
    }

    /// As if everything had been synced.
    pub(crate) fn sync_all(&mut self) {
        for id in 0..self.nodes.len() {
            self.sync(id);
        }
    }

    fn sync(&mut self, id: Id) {
        let node = &mut self.nodes[id];
        node.mode.sync();
        node.time.sync();
        match &mut node.kind {
            Kind::File(content) => {
                content.durable = content.seen.clone();
                content.changes.clear();
            }
            Kind::Directory { .. } => self.sync_entries(id),
            Kind::Link(_) => {}
        }
    }

    /// Makes the entries of a directory durable, and all earlier changes of the same entries.
    fn sync_entries(&mut self, directory: Id) {
        let mut needed: BTreeSet<(Id, String)> = BTreeSet::new();
        let mut is_synced = vec![false; self.changes.len()];
        for (n, change) in self.changes.iter().enumerate().rev() {
            if change.keys().any(|(of, _)| of == directory) || change.touches(&needed) {
                is_synced[n] = true;
                needed.extend(change.keys());
            }
        }
        for (change, is_synced) in std::mem::take(&mut self.changes).into_iter().zip(is_synced) {
            if is_synced {
                self.make_durable(&change);
            } else {
                self.changes.push(change);
            }
        }
    }

    fn make_durable(&mut self, change: &EntryChange) {
        for ((directory, name), id) in &change.0 {
            if let Kind::Directory { durable, .. } = &mut self.nodes[*directory].kind {
                match id {
                    Some(id) => durable.insert(name.clone(), *id),
                    None => durable.remove(name),
                };
            }
        }
    }
}

impl Content {
    fn set_length(&mut self, length: u64) {
        self.changes.push(Change::Length(length));
        self.seen.resize(length as usize, 0);
    }
}

/// Writes `bytes` at an offset, after zeros if that is behind the end.
pub(crate) fn overlay(content: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let (at, end) = (at as usize, at as usize + bytes.len());
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(bytes);
}
