//! The requests about files: from an opening message to its answer, or to the flow that gives it.

mod list;
mod outgoing;
mod read;
mod read_tree;
mod remove;
mod watch;
mod write;
mod write_tree;

pub(super) use write::FileWriting;

use super::flow::Flow;
use super::streams::Role;
use super::Agent;
use crate::errno::Errno;
use crate::message::{self, unknown, Failed, Opening, Place, WriteFile, READ_FILE};
use crate::reactor::Token;
use crate::sys::{O_NOFOLLOW, O_PATH};
use crate::tenant::files::{self, Owners, Removal, TreeWriter};
use crate::tenant::search::from_home;
use crate::tenant::users::User;
use list::Listing;
use outgoing::Telling;
use read::Reading;
use read_tree::TreeReading;
use remove::Removing;
use std::rc::Rc;
use watch::Watching;
use write_tree::TreeWriting;

impl Agent {
    pub(super) fn open_files(&mut self, id: u32, opening: &Opening<'_>) -> Result<Role, Failed> {
        match opening {
            Opening::ReadFile(place) => {
                let (_, path) = self.whose(place)?;
                let (file, about) = files::open_regular(&self.tenant, &path)?;
                Ok(self.flow(id, Reading::new(file, about.size_bytes)))
            }
            Opening::Stat(place) => {
                let (_, path) = self.whose(place)?;
                let found = files::open(&self.tenant, &path, O_PATH | O_NOFOLLOW).and_then(|found| files::describe(&found));
                let described = found.map_err(cannot("stat", "look at", &path))?;
                Ok(self.answered(id, &described.encode(&files::as_text(&path), &Owners::of(&self.tenant))))
            }
            Opening::List { place, depth } => {
                let (_, path) = self.whose(place)?;
                let listing = Listing::new(&self.tenant, &path, *depth).map_err(cannot("open", "list", &path))?;
                Ok(self.flow(id, Telling::new(listing)))
            }
            Opening::MakeDirectory(place) => {
                let (user, path) = self.whose(place)?;
                files::make_directory(&self.tenant, &path, &user)?;
                Ok(self.answered(id, &message::done()))
            }
            Opening::Rename { from, to } => {
                let (user, path) = self.whose(from)?;
                files::rename(&self.tenant, &path, &from_home(&user, to)).map_err(cannot("rename", "rename", &path))?;
                Ok(self.answered(id, &message::done()))
            }
            Opening::Remove { place, recursive } => {
                let (_, path) = self.whose(place)?;
                match Removal::begin(&self.tenant, &path, *recursive).map_err(cannot("remove", "remove", &path))? {
                    Some(removal) => Ok(self.flow(id, Removing::new(removal, path))),
                    None => Ok(self.answered(id, &message::done())),
                }
            }
            Opening::ReadTree(place) => {
                let (_, path) = self.whose(place)?;
                let reading = TreeReading::new(&self.tenant, &path)?;
                Ok(self.flow(id, Telling::new(reading)))
            }
            Opening::WriteTree(place) => {
                let (user, path) = self.whose(place)?;
                let writer = TreeWriter::new(&self.tenant, user, path, id);
                Ok(self.flow(id, TreeWriting::new(writer)))
            }
            Opening::Watch { place, recursive } => {
                let (_, path) = self.whose(place)?;
                let watching = Watching::new(&self.tenant, path.clone(), *recursive);
                let watched = watching.and_then(|watching| self.reactor.watch(watching.inotify(), Token::Flow(id)).map(|()| watching));
                Ok(self.flow(id, Telling::new(watched.map_err(cannot("watch", "watch", &path))?)))
            }
            _ => Err(unknown(READ_FILE)),
        }
    }

    pub(super) fn write_file(&mut self, id: u32, file: &WriteFile<'_>) -> Result<Role, Failed> {
        let (user, path) = self.whose(&file.place)?;
        FileWriting::begin(&self.tenant, &path, file.mode, file.append, &user, id).map(Role::File)
    }

    /// The user, and the path as an absolute one.
    fn whose(&self, place: &Place<'_>) -> Result<(Rc<User>, String), Failed> {
        let user = self.tenant.user(place.user)?;
        let path = from_home(&user, place.path);
        Ok((user, path))
    }

    fn answered(&mut self, id: u32, answer: &[u8]) -> Role {
        self.answer(id, answer);
        Role::Deaf
    }

    fn flow(&mut self, id: u32, flow: impl Flow + 'static) -> Role {
        self.flows.insert(id, Box::new(flow));
        Role::Flow
    }
}

fn cannot<'a>(step: &'static str, act: &'static str, path: &'a str) -> impl Fn(Errno) -> Failed + 'a {
    move |error| Failed::because(error, step, format!("cannot {} '{}'", act, path))
}
