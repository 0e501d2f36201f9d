//! The system calls of the agent, by what they are about. How they are made is in `raw`, and with that all of the agent's unsafe code.

mod bytes;
mod files;
mod machine;
mod number;
mod process;
mod program;
#[allow(unsafe_code)]
mod raw;
mod socket;
mod terminal;
mod waiting;
mod watches;

pub use bytes::*;
pub use files::*;
pub use machine::*;
pub use process::*;
pub use program::*;
pub use raw::*;
pub use socket::*;
pub use terminal::*;
pub use waiting::*;
pub use watches::*;

use crate::errno::{self, Errno};
use std::ffi::{CStr, CString};
use std::os::unix::io::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use number::*;

pub type Result<T> = std::result::Result<T, Errno>;

pub const O_DIRECTORY: i32 = if cfg!(target_arch = "aarch64") { 0o40000 } else { 0o200000 };
pub const O_NOFOLLOW: i32 = if cfg!(target_arch = "aarch64") { 0o100000 } else { 0o400000 };
pub const O_RDONLY: i32 = 0;
pub const O_WRONLY: i32 = 1;
pub const O_RDWR: i32 = 2;
pub const O_CREAT: i32 = 0o100;
pub const O_EXCL: i32 = 0o200;
pub const O_NOCTTY: i32 = 0o400;
pub const O_APPEND: i32 = 0o2000;
pub const O_NONBLOCK: i32 = 0o4000;
pub const O_CLOEXEC: i32 = 0o2000000;
pub const O_PATH: i32 = 0o10000000;

pub const SIGKILL: i32 = 9;
pub const SIGPIPE: i32 = 13;
pub const SIGTERM: i32 = 15;
pub const SIGCHLD: i32 = 17;

fn fd(of: &impl AsRawFd) -> usize {
    of.as_raw_fd() as usize
}

fn pointer<T>(to: &T) -> usize {
    to as *const T as usize
}

fn string(text: &CStr) -> usize {
    text.as_ptr() as usize
}

pub fn c_string(bytes: impl Into<Vec<u8>>) -> Result<CString> {
    CString::new(bytes).map_err(|_| errno::EINVAL)
}
