//! The names of the kernel's errors, as the host is told them.

use std::borrow::Cow;
use std::io;

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

macro_rules! errnos {
    ($($name:ident = $number:literal),* $(,)?) => {
        $(pub const $name: Errno = Errno($number);)*

        impl Errno {
            pub fn name(self) -> Cow<'static, str> {
                match self.0 {
                    $($number => Cow::Borrowed(stringify!($name)),)*
                    number => Cow::Owned(format!("E{}", number)),
                }
            }
        }
    };
}

// Equal on x86_64 and aarch64.
errnos! {
    EPERM = 1, ENOENT = 2, ESRCH = 3, EINTR = 4, EIO = 5, ENXIO = 6, E2BIG = 7, ENOEXEC = 8, EBADF = 9, ECHILD = 10, EAGAIN = 11,
    ENOMEM = 12, EACCES = 13, EFAULT = 14, EBUSY = 16, EEXIST = 17, EXDEV = 18, ENODEV = 19, ENOTDIR = 20, EISDIR = 21, EINVAL = 22,
    ENFILE = 23, EMFILE = 24, ENOTTY = 25, ETXTBSY = 26, EFBIG = 27, ENOSPC = 28, ESPIPE = 29, EROFS = 30, EMLINK = 31, EPIPE = 32,
    ERANGE = 34, EDEADLK = 35, ENAMETOOLONG = 36, ENOSYS = 38, ENOTEMPTY = 39, ELOOP = 40, EPROTO = 71, EOVERFLOW = 75, ELIBBAD = 80,
    EILSEQ = 84, EOPNOTSUPP = 95, EAFNOSUPPORT = 97, EADDRINUSE = 98, EADDRNOTAVAIL = 99, ENETDOWN = 100, ENETUNREACH = 101,
    ECONNABORTED = 103, ECONNRESET = 104, ENOBUFS = 105, ENOTCONN = 107, ETIMEDOUT = 110, ECONNREFUSED = 111, EHOSTUNREACH = 113,
    EINPROGRESS = 115, ESTALE = 116, EDQUOT = 122, ECANCELED = 125,
}

impl Errno {
    /// The system's words for it.
    pub fn describe(self) -> String {
        let text = io::Error::from_raw_os_error(self.0).to_string();
        // std adds " (os error 2)", which the name already says.
        match text.find(" (os error") {
            Some(end) => text[..end].to_lowercase(),
            None => text,
        }
    }
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Errno {
        Errno(error.raw_os_error().unwrap_or(EIO.0))
    }
}

impl std::fmt::Display for Errno {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} ({})", self.describe(), self.name())
    }
}

impl std::fmt::Debug for Errno {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_by_name_and_in_words() {
        assert_eq!(ENOENT.name(), "ENOENT");
        assert_eq!(Errno(9999).name(), "E9999");
        assert_eq!(ENOSPC.describe(), "no space left on device");
    }
}
