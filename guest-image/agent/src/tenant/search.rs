//! Where a program without a slash in its name may be, and the environment that says so.

use super::users::User;

pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The longest PATH the agent looks through: each entry is a try to execute.
const ENTRIES_MAX: usize = 256;

/// What to try to execute, in order: the name itself if it has a slash, otherwise the name in each entry of PATH.
pub fn candidates(name: &str, path: &str) -> Vec<String> {
    if name.is_empty() {
        return Vec::new();
    }
    if name.contains('/') {
        return vec![name.to_string()];
    }
    let inside = |directory: &str| match directory {
        // An empty entry is the working directory, as it always was.
        "" => format!("./{}", name),
        _ => format!("{}/{}", directory.trim_end_matches('/'), name),
    };
    path.split(':').take(ENTRIES_MAX).map(inside).collect()
}

/// The environment as given, with what every program expects filled in where the host gave nothing.
pub fn complete_environment(given: &[&str], user: &User) -> Vec<String> {
    let mut environment: Vec<String> = given.iter().map(|&entry| entry.to_string()).collect();
    let mut fill = |name: &str, value: &str| {
        if value_of(given, name).is_none() {
            environment.push(format!("{}={}", name, value));
        }
    };
    fill("PATH", DEFAULT_PATH);
    fill("HOME", home(user));
    if let Some(account) = &user.account {
        fill("USER", &account.name);
        fill("LOGNAME", &account.name);
    }
    fill("SHELL", user.account.as_ref().map(|account| account.shell.as_str()).filter(|shell| !shell.is_empty()).unwrap_or("/bin/sh"));
    environment
}

pub fn home(user: &User) -> &str {
    user.account.as_ref().map(|account| account.home.as_str()).filter(|home| home.starts_with('/')).unwrap_or("/")
}

/// A relative path starts at the user's home.
pub fn from_home(user: &User, path: &str) -> String {
    match path.starts_with('/') {
        true => path.to_string(),
        false => format!("{}/{}", home(user), path),
    }
}

/// The value in a list of `NAME=value`.
pub fn value_of<'a, T: AsRef<str>>(environment: &'a [T], name: &str) -> Option<&'a str> {
    environment.iter().find_map(|entry| entry.as_ref().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::users::Account;

    #[test]
    fn a_name_is_tried_in_every_entry() {
        assert_eq!(candidates("ls", "/usr/bin:/bin/"), ["/usr/bin/ls", "/bin/ls"]);
        assert_eq!(candidates("ls", ":/bin"), ["./ls", "/bin/ls"]);
        assert_eq!(candidates("ls", "/"), ["/ls"]);
        assert_eq!(candidates("./ls", "/bin"), ["./ls"]);
        assert!(candidates("", "/bin").is_empty());
    }

    #[test]
    fn only_what_is_missing_is_filled_in() {
        let account = Account { name: "user".into(), home: "/home/user".into(), shell: "".into() };
        let user = User { uid: 1, gid: 1, groups: vec![1], account: Some(account) };
        let environment = complete_environment(&["HOME=/x", "PATHS=1", "USER="], &user);
        assert_eq!(environment, ["HOME=/x", "PATHS=1", "USER=", &format!("PATH={}", DEFAULT_PATH), "LOGNAME=user", "SHELL=/bin/sh"]);
    }

    #[test]
    fn a_user_without_an_account_has_no_name() {
        let user = User { uid: 9, gid: 9, groups: vec![9], account: None };
        let environment = complete_environment(&["PATH=/bin"], &user);
        assert_eq!(environment, ["PATH=/bin", "HOME=/", "SHELL=/bin/sh"]);
    }
}
