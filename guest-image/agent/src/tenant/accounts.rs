//! The tenant's `/etc/passwd` and `/etc/group` as they were last read, for as long as they are the same files and nobody has written to them.

use super::users::{resolve, users_in, User};
use super::Tenant;
use crate::errno;
use crate::message::Failed;
use crate::sys::{self, Stamp, O_NONBLOCK, O_RDONLY};
use std::ffi::CStr;
use std::fs::File;
use std::io::Read;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Without a slash before: from the tenant's root.
const FILES: [&[u8]; 2] = [b"etc/passwd\0", b"etc/group\0"];
/// What the tenant wrote there must not cost the agent its memory: longer ones are cut, and not kept.
const READ_BYTES_MAX: usize = 1 << 20;
const KEPT_BYTES_MAX: usize = 64 << 10;
/// A file may change twice within one tick of the clock that stamps it, so what has just changed is not kept.
const SETTLED: Duration = Duration::from_millis(100);

pub struct Accounts {
    stamps: [Stamp; 2],
    texts: [String; 2],
    /// Who was asked for last: most often it is the same again.
    last: Option<(String, Rc<User>)>,
}

impl Tenant {
    pub fn user(&self, asked: &str) -> Result<Rc<User>, Failed> {
        let unknown = |what: String| Failed::new(errno::EINVAL, "user", what);
        if asked.is_empty() {
            return Err(unknown("no user was named".to_string()));
        }
        let mut kept = self.accounts.borrow_mut();
        if let Some(accounts) = kept.as_mut().filter(|accounts| accounts.still_hold(self)) {
            return accounts.find(asked).map_err(unknown);
        }
        let (accounts, keep) = self.read_accounts();
        let accounts = kept.insert(accounts);
        let found = accounts.find(asked).map_err(unknown);
        if !keep {
            *kept = None;
        }
        found
    }

    /// Every number and name in passwd, in its order.
    pub fn for_each_user(&self, tell: impl FnMut(u32, &str)) {
        let mut kept = self.accounts.borrow_mut();
        if !kept.as_ref().map_or(false, |accounts| accounts.still_hold(self)) {
            let (accounts, keep) = self.read_accounts();
            users_in(&accounts.texts[0], tell);
            *kept = Some(accounts).filter(|_| keep);
        } else if let Some(accounts) = kept.as_ref() {
            users_in(&accounts.texts[0], tell);
        }
    }

    /// The accounts, and whether they may be kept.
    fn read_accounts(&self) -> (Accounts, bool) {
        let mut keep = true;
        let mut accounts = Accounts { stamps: [Stamp::default(); 2], texts: [String::new(), String::new()], last: None };
        for (at, path) in FILES.iter().enumerate() {
            // Not blocking, in case it is a FIFO: then it reads as empty.
            let opened = sys::open_in_root(&self.root, c_str(path), O_RDONLY | O_NONBLOCK, 0);
            let file = match opened {
                Ok(file) => file,
                Err(_) => {
                    keep = false;
                    continue;
                }
            };
            let stamp = sys::stamp_of(&file).unwrap_or_default();
            let mut bytes = Vec::new();
            let _ = File::from(file).take(READ_BYTES_MAX as u64).read_to_end(&mut bytes);
            keep &= bytes.len() <= KEPT_BYTES_MAX && stamp.is_regular && is_settled(&stamp);
            accounts.stamps[at] = stamp;
            accounts.texts[at] = String::from_utf8_lossy(&bytes).into_owned();
        }
        (accounts, keep)
    }
}

impl Accounts {
    /// A path that leads elsewhere by now leads to a file with another stamp.
    fn still_hold(&self, tenant: &Tenant) -> bool {
        FILES.iter().zip(&self.stamps).all(|(path, stamp)| sys::stamp_at(&tenant.root, c_str(path)) == Ok(*stamp))
    }

    fn find(&mut self, asked: &str) -> Result<Rc<User>, String> {
        match &self.last {
            Some((name, user)) if name == asked => Ok(Rc::clone(user)),
            _ => {
                let user = Rc::new(resolve(asked, &self.texts[0], &self.texts[1])?);
                self.last = Some((asked.to_string(), Rc::clone(&user)));
                Ok(user)
            }
        }
    }
}

fn c_str(bytes: &'static [u8]) -> &'static CStr {
    CStr::from_bytes_with_nul(bytes).unwrap_or_default()
}

fn is_settled(stamp: &Stamp) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.checked_sub(stamp.changed_at).map_or(false, |age| age > SETTLED)
}
