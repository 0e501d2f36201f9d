//! What is said of something in a file system, whichever way it goes.

use super::requests::file_mode;
use super::{Encoder, Message, ENTRY, NODE};
use crate::yamux::Violation;

#[derive(Debug, PartialEq, Eq)]
pub struct Facts<'a> {
    pub path: &'a str,
    pub kind: NodeKind,
    pub size_bytes: u64,
    pub mode: u32,
    /// Since 1970.
    pub modified_ns: u64,
    /// Of a symbolic link.
    pub target: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    File = 1,
    Directory = 2,
    Symlink = 3,
    /// Never from the host.
    Other = 4,
}

impl<'a> Facts<'a> {
    /// A `Node`, which the host sends in a tree.
    pub fn decode(message: &Message<'a>) -> Result<Facts<'a>, Violation> {
        if message.kind != NODE {
            return Err(Violation("something other than a node in a tree"));
        }
        let kind = match message.number(2)? {
            1 => NodeKind::File,
            2 => NodeKind::Directory,
            3 => NodeKind::Symlink,
            _ => return Err(Violation("a node that is no file, directory or symlink")),
        };
        Ok(Facts {
            path: message.text(1)?,
            kind,
            size_bytes: message.number(3)?,
            mode: file_mode(message.number(4)?)?,
            modified_ns: message.number(5)?,
            target: message.optional_text(6)?,
        })
    }

    /// An `Entry`, which the guest sends.
    pub fn encode(&self, owner: &str) -> Vec<u8> {
        let encoder = Encoder::new(ENTRY).text(1, self.path).number(2, self.kind as u64).number(3, self.size_bytes);
        let encoder = encoder.number(4, self.mode.into()).number(5, self.modified_ns);
        match self.target {
            Some(target) => encoder.text(6, target),
            None => encoder,
        }
        .text(7, owner)
        .finish()
    }
}
