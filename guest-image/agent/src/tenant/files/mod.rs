//! What the host asks for in the tenant's root: done as root, and never outside it.
//!
//! Nothing is looked up by a whole path twice. A directory that was found is held open, and what is in it is reached by its name alone, through no
//! link: so whatever the tenant puts in between meanwhile leads nowhere else.

mod append;
mod entry;
mod new_file;
mod parents;
mod place;
mod remove;
mod tree;
mod walk;
mod watches;

pub use append::Appended;
pub use entry::{describe, describe_at, Described, Owners};
pub use new_file::{Displaced, NewFile};
pub use parents::make_directory;
pub use place::{as_text, open, open_directory, open_regular, read_on, rename, spot_of_file, Spot};
pub use remove::Removal;
pub use tree::TreeWriter;
pub use walk::{Found, Walk};
pub use watches::{Added, Place as WatchedPlace, Watches};
