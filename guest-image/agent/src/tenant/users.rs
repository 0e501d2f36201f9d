//! From the user a host names to the numbers the kernel knows, by the tenant's own `/etc/passwd` and `/etc/group`.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups, the first one included.
    pub groups: Vec<u32>,
    /// What passwd says of the user, where it says something.
    pub account: Option<Account>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub home: String,
    pub shell: String,
}

impl User {
    /// Who owns what the agent itself puts into the tenant's root.
    pub const ROOT: User = User { uid: 0, gid: 0, groups: Vec::new(), account: None };
}

/// What the kernel allows a process.
const GROUPS_MAX: usize = 65536;

/// `name`, `uid`, or either with `:group`. A number need not be in passwd; a name must.
pub fn resolve(asked: &str, passwd: &str, group: &str) -> Result<User, String> {
    let (user, asked_group) = match asked.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (asked, None),
    };
    let asked_uid = number(user);
    let entry = passwd.lines().filter_map(PasswdEntry::parse).find(|entry| entry.account.name == user);
    let entry = entry.or_else(|| passwd.lines().filter_map(PasswdEntry::parse).find(|entry| Some(entry.uid) == asked_uid));
    let uid = match (&entry, asked_uid) {
        (Some(entry), _) => entry.uid,
        (None, Some(uid)) => uid,
        _ => return Err(format!("there is no user '{}' in this sandbox", user)),
    };
    let gid = match (asked_group, &entry) {
        (Some(name), _) => group_number(name, group).ok_or(format!("there is no group '{}' in this sandbox", name))?,
        (None, Some(entry)) => entry.gid,
        // Not 0, as in some places: that group may own what nobody meant to share.
        (None, None) => uid,
    };
    let mut groups = vec![gid];
    // Who asks for a group gets that one alone.
    if let (None, Some(entry)) = (asked_group, &entry) {
        groups.extend(
            group.lines().filter_map(|line| member_of(line, &entry.account.name)).filter(|&extra| extra != gid).take(GROUPS_MAX - 1),
        );
    }
    Ok(User { uid, gid, groups, account: entry.map(|entry| entry.account) })
}

/// Every number and name, in the order of passwd.
pub fn users_in(passwd: &str, mut tell: impl FnMut(u32, &str)) {
    for entry in passwd.lines().filter_map(PasswdEntry::parse) {
        tell(entry.uid, &entry.account.name);
    }
}

/// Of a user or a group. The greatest is none: the kernel reads it as "leave as it is", and the agent is root.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|&number| number != u32::MAX)
}

struct PasswdEntry {
    uid: u32,
    gid: u32,
    account: Account,
}

impl PasswdEntry {
    fn parse(line: &str) -> Option<PasswdEntry> {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?.to_string();
        let uid = number(fields.nth(1)?)?;
        let gid = number(fields.next()?)?;
        let home = fields.nth(1).unwrap_or("").to_string();
        let shell = fields.next().unwrap_or("").trim_end().to_string();
        Some(PasswdEntry { uid, gid, account: Account { name, home, shell } })
    }
}

fn group_number(asked: &str, group: &str) -> Option<u32> {
    let named = group.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == asked).then(|| number(fields.nth(1)?))?
    });
    named.or_else(|| number(asked))
}

fn member_of(line: &str, name: &str) -> Option<u32> {
    let mut fields = line.split(':');
    let gid = number(fields.nth(2)?)?;
    fields.next()?.trim_end().split(',').any(|member| member == name).then_some(gid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\n# a comment\nbroken\nuser:x:1000:1000:A User,,,:/home/user:/bin/ash\n33:x:7:7::/:\n";
    const GROUP: &str = "root:x:0:\nwheel:x:10:root,user\nuser:x:1000:\nvideo:x:44:users,user\n";

    #[test]
    fn a_name_brings_its_groups_and_its_account() {
        let user = resolve("user", PASSWD, GROUP).unwrap();
        assert_eq!((user.uid, user.gid, user.groups), (1000, 1000, vec![1000, 10, 44]));
        let account = Account { name: "user".into(), home: "/home/user".into(), shell: "/bin/ash".into() };
        assert_eq!(user.account, Some(account));
    }

    #[test]
    fn a_number_need_not_be_known() {
        let user = resolve("4242", PASSWD, GROUP).unwrap();
        assert_eq!(user, User { uid: 4242, gid: 4242, groups: vec![4242], account: None });
        assert_eq!(resolve("1000", PASSWD, GROUP).unwrap().account.unwrap().name, "user");
        // A name goes before a number, as in chown(1).
        assert_eq!(resolve("33", PASSWD, GROUP).unwrap().uid, 7);
    }

    #[test]
    fn a_group_that_is_asked_for_is_the_only_one() {
        assert_eq!(resolve("user:wheel", PASSWD, GROUP).unwrap().groups, vec![10]);
        assert_eq!(resolve("5:6", PASSWD, GROUP).unwrap(), User { uid: 5, gid: 6, groups: vec![6], account: None });
    }

    #[test]
    fn a_number_that_leaves_the_agents_own_is_no_number() {
        let passwd = "max:x:4294967295:1000::/:/bin/sh\ngroup:x:1000:4294967295::/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n";
        let group = "max:x:4294967295:user\n";
        for asked in ["max", "group", "4294967295", "user:max", "user:4294967295"] {
            assert!(resolve(asked, passwd, group).is_err(), "{}", asked);
        }
        assert_eq!(resolve("user", passwd, group).unwrap().groups, [1000]);
    }

    #[test]
    fn who_is_unknown_is_named() {
        assert!(resolve("nobody", PASSWD, GROUP).unwrap_err().contains("'nobody'"));
        assert!(resolve("user:nogroup", PASSWD, GROUP).unwrap_err().contains("'nogroup'"));
        assert!(resolve("4294967295", PASSWD, GROUP).is_err());
        assert!(resolve("", PASSWD, GROUP).is_err());
        assert!(resolve("-1", PASSWD, GROUP).is_err());
    }
}
