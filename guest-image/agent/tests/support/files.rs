//! What a host says about files, and how it reads what it is told.

use super::{number, Host};
use std::fs;
use std::os::unix::fs::symlink;
use warmcell_agent::message::{self, Encoder};

/// A request that names a path and a user.
pub fn about(kind: u8, path: &str) -> Vec<u8> {
    Encoder::new(kind).text(1, path).text(2, "root").finish()
}

pub fn about_with(kind: u8, path: &str, number: u64) -> Vec<u8> {
    Encoder::new(kind).text(1, path).text(2, "root").number(3, number).finish()
}

pub fn rename(from: &str, to: &str) -> Vec<u8> {
    Encoder::new(message::RENAME).text(1, from).text(2, to).text(3, "root").finish()
}

pub fn write_file_as(path: &str, mode: Option<u64>, append: bool) -> Vec<u8> {
    let encoder = Encoder::new(message::WRITE_FILE).text(1, path);
    let encoder = mode.into_iter().fold(encoder, |encoder, mode| encoder.number(2, mode));
    encoder.text(3, "root").number(4, append.into()).finish()
}

pub const FILE: u64 = 1;
pub const DIRECTORY: u64 = 2;
pub const SYMLINK: u64 = 3;
pub const OTHER: u64 = 4;

pub fn node(path: &str, kind: u64, size_bytes: u64, mode: u64, modified_ns: u64, target: Option<&str>) -> Vec<u8> {
    let encoder = Encoder::new(message::NODE).text(1, path).number(2, kind).number(3, size_bytes).number(4, mode).number(5, modified_ns);
    target.into_iter().fold(encoder, |encoder, target| encoder.text(6, target)).finish()
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub path: String,
    pub kind: u64,
    pub size_bytes: u64,
    pub mode: u64,
    pub modified_ns: u64,
    pub target: Option<String>,
    pub owner: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Create(String),
    Write(String),
    Remove(String),
    Rename(String, String),
    Overflow(String),
}

pub fn fifo(path: &std::path::Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// So many names in a directory, of one file: that is quicker than as many files.
pub fn fill(directory: &std::path::Path, names: impl IntoIterator<Item = String>) {
    fs::create_dir_all(directory).unwrap();
    let mut names = names.into_iter().map(|name| directory.join(name));
    let first = names.next().unwrap();
    fs::write(&first, "").unwrap();
    names.for_each(|name| fs::hard_link(&first, name).unwrap());
}

pub type Tree = Vec<(Entry, Vec<u8>)>;

type Fields = Vec<(u8, Vec<u8>)>;

fn text(fields: &Fields, tag: u8) -> Option<String> {
    fields.iter().find(|field| field.0 == tag).map(|field| String::from_utf8(field.1.clone()).unwrap())
}

impl Host {
    /// The whole answer to a request that sends nothing more.
    pub fn ask(&mut self, request: &[u8]) -> Result<(), (String, String)> {
        let id = self.open(request);
        self.finish(id);
        self.until(|host| host.streams[&id].finished);
        match self.streams[&id].bytes[4] {
            message::DONE => Ok(()),
            _ => Err(self.failure(id)),
        }
    }

    pub fn entry(&mut self, id: u32) -> Entry {
        let (kind, fields) = self.answer(id);
        assert_eq!(kind, message::ENTRY, "{:?}", text(&fields, 3));
        let value = |tag: u8| number(&fields.iter().find(|field| field.0 == tag).unwrap().1);
        Entry {
            path: text(&fields, 1).unwrap(),
            kind: value(2),
            size_bytes: value(3),
            mode: value(4),
            modified_ns: value(5),
            target: text(&fields, 6),
            owner: text(&fields, 7).unwrap(),
        }
    }

    pub fn stat(&mut self, path: &str) -> Result<Entry, (String, String)> {
        let id = self.open(&about(message::STAT, path));
        self.finish(id);
        self.until(|host| host.streams[&id].finished);
        match self.streams[&id].bytes[4] {
            message::ENTRY => Ok(self.entry(id)),
            _ => Err(self.failure(id)),
        }
    }

    /// By path.
    pub fn list(&mut self, path: &str, depth: u64) -> Result<Vec<Entry>, (String, String)> {
        let id = self.open(&about_with(message::LIST, path, depth));
        self.finish(id);
        self.until(|host| host.streams[&id].finished || host.streams[&id].reset);
        assert!(!self.streams[&id].reset);
        if self.streams[&id].bytes.get(4) == Some(&message::FAILED) {
            return Err(self.failure(id));
        }
        let mut entries = Vec::new();
        while !self.streams[&id].bytes.is_empty() {
            entries.push(self.entry(id));
        }
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(entries)
    }

    pub fn read(&mut self, path: &str) -> Result<(u64, Vec<u8>), (String, String)> {
        let id = self.open(&about(message::READ_FILE, path));
        self.finish(id);
        self.until(|host| host.streams[&id].finished);
        if self.streams[&id].bytes[4] == message::FAILED {
            return Err(self.failure(id));
        }
        let (kind, fields) = self.answer(id);
        assert_eq!(kind, message::READING);
        Ok((number(&fields[0].1), std::mem::take(&mut self.streams.get_mut(&id).unwrap().bytes)))
    }

    pub fn write(&mut self, request: &[u8], bytes: &[u8]) -> Result<u64, (String, String)> {
        let id = self.open(request);
        self.send(id, bytes);
        self.finish(id);
        self.until(|host| host.streams[&id].finished);
        match self.streams[&id].bytes[4] {
            message::WRITTEN => Ok(number(&self.answer(id).1[0].1)),
            _ => Err(self.failure(id)),
        }
    }

    /// Everything in a tree, with the bytes of its files; or `None` when the stream was reset.
    pub fn read_tree(&mut self, path: &str) -> Result<Option<Tree>, (String, String)> {
        let id = self.open(&about(message::READ_TREE, path));
        self.finish(id);
        self.until(|host| host.streams[&id].finished || host.streams[&id].reset);
        if self.streams[&id].reset {
            return Ok(None);
        }
        if self.streams[&id].bytes.get(4) == Some(&message::FAILED) {
            return Err(self.failure(id));
        }
        let mut tree = Vec::new();
        while !self.streams[&id].bytes.is_empty() {
            let entry = self.entry(id);
            let size_bytes = if entry.kind == FILE { entry.size_bytes as usize } else { 0 };
            let bytes = self.streams.get_mut(&id).unwrap().bytes.drain(..size_bytes).collect();
            tree.push((entry, bytes));
        }
        Ok(Some(tree))
    }

    pub fn watch(&mut self, path: &str, recursive: bool) -> u32 {
        let id = self.open(&about_with(message::WATCH, path, recursive.into()));
        let (kind, fields) = self.answer(id);
        assert_eq!(kind, message::DONE, "{:?}", text(&fields, 3));
        id
    }

    pub fn told(&mut self, id: u32) -> Told {
        let (kind, fields) = self.answer(id);
        assert_eq!(kind, message::CHANGED);
        let path = text(&fields, 2).unwrap();
        match number(&fields[0].1) {
            1 => Told::Create(path),
            2 => Told::Write(path),
            3 => Told::Remove(path),
            4 => Told::Rename(text(&fields, 3).unwrap(), path),
            5 => Told::Overflow(path),
            other => panic!("a change of the unknown kind {}", other),
        }
    }

    /// Everything told until a file of this name, made for the purpose at the top, is.
    pub fn all_told(&mut self, id: u32, top: &str, mark: &str) -> Vec<Told> {
        let place = format!("{}/{}", top, mark);
        fs::create_dir(self.root.join(&place[1..])).unwrap();
        let mut all = Vec::new();
        loop {
            match self.told(id) {
                Told::Create(path) if path == place => return all,
                told => all.push(told),
            }
        }
    }
}

pub fn failed(errno: &str, step: &str) -> (String, String) {
    (errno.to_string(), step.to_string())
}

pub fn paths(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.path.as_str()).collect()
}

/// A directory beside the root, with links in the root that would lead there if the root were none.
pub fn outside(host: &Host, name: &str) -> std::path::PathBuf {
    let outside = host.root.parent().unwrap().join(name);
    let _ = fs::remove_dir_all(&outside);
    fs::create_dir_all(outside.join("inner")).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    symlink(&outside, host.root.join("absolute")).unwrap();
    symlink(format!("../{}", name), host.root.join("relative")).unwrap();
    outside
}
