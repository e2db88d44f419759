//! What a disk may hold once the power is back.

use crate::disk::{Attribute, Change, Content, Disk, Id, Kind, overlay};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::SystemTime;

/// Which of the changes that were not durable are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survivors {
    /// None: only what POSIX promises.
    None,
    /// All, as after a kill.
    All,
    /// Some, drawn at random.
    Some(u64),
}

/// A file system.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State(pub(crate) BTreeMap<String, Item>);

/// A file or a directory.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) id: Id,
    pub(crate) inode: Option<u64>,
    pub(crate) mode: u32,
    pub(crate) time: SystemTime,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    File(Vec<u8>),
    Directory,
    Link(PathBuf),
}

/// The unit in which a disk takes over what was written.
const BLOCK: u64 = 4096;

/// The unit within which no write is torn.
const SECTOR: u64 = 512;

/// Draws numbers (splitmix64).
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    /// Below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit.max(1) as u64) as usize
    }
}

/// A state being put together, with the entries of all directories.
struct Collected {
    entries: BTreeMap<Id, BTreeMap<String, Id>>,
    draw: Option<Draw>,
    known: BTreeMap<Id, Item>,
    state: State,
}

impl Disk {
    /// What it may hold.
    pub(crate) fn state(&self, survivors: Survivors) -> State {
        let mut draw = match survivors {
            Survivors::None => None,
            Survivors::Some(seed) => Some(Draw(seed)),
            Survivors::All => {
                let mut synced = self.clone();
                synced.sync_all();
                return synced.state(Survivors::None);
            }
        };
        let mut collected = Collected {
            entries: self.entries(&mut draw),
            draw,
            known: BTreeMap::new(),
            state: State(BTreeMap::new()),
        };
        self.collect(0, "", &mut collected);
        collected.state
    }

    /// The entries of all directories: of the changes some, those of one entry in order.
    fn entries(&self, draw: &mut Option<Draw>) -> BTreeMap<Id, BTreeMap<String, Id>> {
        let durable = |(id, node): (Id, &crate::disk::Node)| match &node.kind {
            Kind::Directory { durable, .. } => Some((id, durable.clone())),
            _ => None,
        };
        let mut entries: BTreeMap<_, _> =
            self.nodes.iter().enumerate().filter_map(durable).collect();
        let Some(draw) = draw else {
            return entries;
        };
        let in_four = 1 + draw.below(3);
        let mut lost = BTreeSet::new();
        for change in &self.changes {
            if change.touches(&lost) || draw.below(4) >= in_four {
                lost.extend(change.keys());
                continue;
            }
            for ((directory, name), id) in &change.0 {
                let directory = entries.entry(*directory).or_default();
                match id {
                    Some(id) => directory.insert(name.clone(), *id),
                    None => directory.remove(name),
                };
            }
        }
        entries
    }

    fn collect(&self, id: Id, path: &str, to: &mut Collected) {
        let draw = &mut to.draw;
        let item = to.known.entry(id).or_insert_with(|| self.item(id, draw));
        to.state.0.insert(path.to_owned(), item.clone());
        for (name, child) in to.entries.get(&id).cloned().unwrap_or_default() {
            let path = format!("{path}/{name}");
            self.collect(child, path.trim_start_matches('/'), to);
        }
    }

    fn item(&self, id: Id, draw: &mut Option<Draw>) -> Item {
        let node = &self.nodes[id];
        Item {
            id,
            inode: node.inode,
            mode: value(&node.mode, draw),
            time: value(&node.time, draw),
            what: match &node.kind {
                Kind::Directory { .. } => What::Directory,
                Kind::Link(target) => What::Link(target.clone()),
                Kind::File(content) => What::File(match draw {
                    Some(draw) => content.drawn(draw),
                    None => content.durable.clone(),
                }),
            },
        }
    }
}

fn value<T: Copy>(attribute: &Attribute<T>, draw: &mut Option<Draw>) -> T {
    let nth = draw.as_mut().map_or(0, |draw| {
        let is_old = draw.below(2) == 0;
        if is_old {
            0
        } else {
            draw.below(attribute.later.len() + 1)
        }
    });
    let nth = nth.min(attribute.later.len());
    match nth {
        0 => attribute.durable,
        n => attribute.later[n - 1],
    }
}

impl Content {
    /// Some of the changes: of each block the first ones, at most one block torn between two; any length that the file
    /// has had since. What was never written within that length is zero.
    fn drawn(&self, draw: &mut Draw) -> Vec<u8> {
        if self.changes.is_empty() {
            return self.durable.clone();
        }
        let versions = self.versions();
        let lengths: Vec<u64> = versions.iter().map(|one| one.len() as u64).collect();
        let length = lengths[draw.below(lengths.len())];
        let mut content = vec![0; length as usize];
        let blocks = length.div_ceil(BLOCK);
        // Mostly all or nothing, so that both are seen even of files of many blocks.
        let style = draw.below(4);
        let torn = (draw.below(2) == 0).then(|| draw.below(blocks as usize) as u64);
        for block in 0..blocks {
            let n = match style {
                0 => 0,
                1 => versions.len() - 1,
                _ => draw.below(versions.len()),
            };
            let (from, to) = (block * BLOCK, ((block + 1) * BLOCK).min(length));
            copy(&mut content, &versions[..=n], from, to);
            if torn == Some(block) {
                let other = &versions[..=draw.below(versions.len())];
                let sectors = 1 + draw.below((BLOCK / SECTOR) as usize) as u64;
                let cut = (from + sectors * SECTOR).min(to);
                if draw.below(2) == 0 {
                    copy(&mut content, other, from, cut);
                } else {
                    copy(&mut content, other, cut, to);
                }
            }
        }
        content
    }

    /// The content after each change. Of many only some, the last one among them.
    fn versions(&self) -> Vec<Vec<u8>> {
        let step = self.changes.len().div_ceil(MOST_VERSIONS);
        let mut now = self.durable.clone();
        let mut versions = vec![now.clone()];
        for (n, change) in self.changes.iter().enumerate() {
            match change {
                Change::Write { at, bytes } => overlay(&mut now, *at, bytes),
                Change::Length(length) => now.resize(*length as usize, 0),
            }
            if (n + 1) % step == 0 || n + 1 == self.changes.len() {
                versions.push(now.clone());
            }
        }
        versions
    }
}

/// How many contents of one file are kept in memory.
const MOST_VERSIONS: usize = 16;

/// Copies a range of the last version. What it has cut off is taken from an earlier one: a length changes as a whole,
/// before or after all of its blocks. Zeros where there never was anything.
fn copy(to: &mut [u8], versions: &[Vec<u8>], start: u64, end: u64) {
    let (mut start, end) = (start as usize, end as usize);
    for version in versions.iter().rev() {
        let source = version.get(start..end.min(version.len()));
        let source = source.unwrap_or_default();
        to[start..start + source.len()].copy_from_slice(source);
        start += source.len();
    }
    to[start..end].fill(0);
}
