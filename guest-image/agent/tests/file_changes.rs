//! Directories being made, files renamed and removed: whatever they are, and whatever is put in their place meanwhile.

mod support;

use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};
use support::*;
use warmcell_agent::message;

#[test]
fn a_directory_is_made_with_its_parents() {
    let mut host = Host::greeted("mkdir");
    let root = host.root.clone();
    let make = |host: &mut Host, path: &str| host.ask(&about(message::MAKE_DIRECTORY, path));
    assert_eq!(make(&mut host, "/a/b/c/"), Ok(()));
    assert_eq!(fs::metadata(root.join("a/b/c")).unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!(make(&mut host, "a/b"), Ok(()));
    symlink("a", root.join("link")).unwrap();
    symlink("/nowhere", root.join("dangling")).unwrap();
    assert_eq!(make(&mut host, "/link"), Ok(()));
    assert_eq!(make(&mut host, "/link/../link/x"), Ok(()));
    assert!(root.join("a/x").is_dir());
    assert_eq!(make(&mut host, "/"), Ok(()));
    assert_eq!(make(&mut host, "/etc/passwd"), Err(failed("EEXIST", "mkdir")));
    assert_eq!(make(&mut host, "/etc/passwd/x"), Err(failed("ENOTDIR", "mkdir")));
    assert_eq!(make(&mut host, "/dangling"), Err(failed("EEXIST", "mkdir")));
    assert_eq!(make(&mut host, &format!("/new/{}", "n".repeat(300))), Err(failed("ENAMETOOLONG", "mkdir")));
    assert!(!root.join("new").exists());
}

#[test]
fn a_rename_replaces_what_it_may() {
    let mut host = Host::greeted("rename");
    let root = host.root.clone();
    fs::create_dir_all(root.join("full/inner")).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    fs::write(root.join("one"), "1").unwrap();
    fs::write(root.join("two"), "2").unwrap();
    symlink("one", root.join("link")).unwrap();
    assert_eq!(host.ask(&rename("/one", "two")), Ok(()));
    assert_eq!(fs::read(root.join("two")).unwrap(), b"1");
    assert_eq!(host.ask(&rename("/link", "/moved")), Ok(()));
    assert_eq!(fs::read_link(root.join("moved")).unwrap(), Path::new("one"));
    assert_eq!(host.ask(&rename("/full/", "/empty/")), Ok(()));
    assert!(root.join("empty/inner").is_dir());
    fs::create_dir(root.join("other")).unwrap();
    let cases = [
        ("/none", "/new", "ENOENT"),
        ("/two", "/none/new", "ENOENT"),
        ("/two", "/empty", "EISDIR"),
        ("/empty", "/two", "ENOTDIR"),
        ("/other", "/empty", "ENOTEMPTY"),
        ("/empty", "/empty/inner/x", "EINVAL"),
        ("/two", "/empty/..", "EINVAL"),
        ("/two", "/", "EBUSY"),
        ("/two/x", "/new", "ENOTDIR"),
    ];
    for (from, to, errno) in cases {
        assert_eq!(host.ask(&rename(from, to)), Err(failed(errno, "rename")), "{} {}", from, to);
    }
}

#[test]
fn a_removal_takes_what_is_there_and_follows_no_link() {
    let mut host = Host::greeted("remove");
    let root = host.root.clone();
    let remove = |host: &mut Host, path: &str, recursive: u64| host.ask(&about_with(message::REMOVE, path, recursive));
    fs::create_dir_all(root.join("kept/inner")).unwrap();
    fs::create_dir_all(root.join("tree/a/b")).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    fs::write(root.join("tree/a/file"), "x").unwrap();
    fs::set_permissions(root.join("tree/a"), fs::Permissions::from_mode(0o500)).unwrap();
    symlink("../../kept", root.join("tree/a/link")).unwrap();
    symlink("kept", root.join("link")).unwrap();
    fifo(&root.join("tree/fifo"));
    assert_eq!(remove(&mut host, "/tree", 0), Err(failed("ENOTEMPTY", "remove")));
    if fs::metadata("/proc/self").map_or(false, |about| std::os::unix::fs::MetadataExt::uid(&about) == 0) {
        assert_eq!(remove(&mut host, "/tree", 1), Ok(()));
        assert!(!root.join("tree").exists());
    }
    assert_eq!(remove(&mut host, "/link", 1), Ok(()));
    assert_eq!(remove(&mut host, "/empty", 0), Ok(()));
    assert!(root.join("kept/inner").is_dir() && !root.join("link").exists());
    assert_eq!(remove(&mut host, "/etc/passwd", 1), Ok(()));
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n").unwrap();
    let cases =
        [("/none", "ENOENT"), ("/etc/passwd/x", "ENOTDIR"), ("/", "EBUSY"), ("", "EBUSY"), ("/kept/.", "EINVAL"), ("/kept/..", "EINVAL")];
    for (path, errno) in cases {
        assert_eq!(remove(&mut host, path, 1), Err(failed(errno, "remove")), "{}", path);
    }
}

#[test]
fn a_removal_that_is_given_up_stops() {
    let mut host = Host::greeted("given-up");
    let root = host.root.clone();
    for one in 0..50 {
        fill(&root.join(format!("many/{}", one)), (0..200).map(|other: u32| other.to_string()));
    }
    let id = host.open(&about_with(message::REMOVE, "/many", 1));
    host.reset(id);
    host.ping();
    assert_eq!(host.list("/many", 1), host.list("/many", 1));
    assert!(root.join("many").exists());
}

#[test]
fn a_removal_copes_with_what_is_put_in_meanwhile() {
    let mut host = Host::greeted("busy");
    let root = host.root.clone();
    for number in 0..300 {
        fs::create_dir_all(root.join(format!("busy/{}/x", number))).unwrap();
    }
    let busy = root.join("busy");
    let outside = outside(&host, "busy-outside");
    let away = outside.clone();
    let writer = std::thread::spawn(move || {
        let until = Instant::now() + Duration::from_millis(300);
        let mut number = 0;
        while Instant::now() < until && busy.exists() {
            number += 1;
            let _ = fs::write(busy.join(format!("more{}", number)), "");
            // A directory that turns into a link as it is looked at.
            let place = busy.join(format!("{}/x", 299 - number % 300));
            if fs::remove_dir(&place).is_ok() {
                let _ = symlink(&away, &place);
            }
        }
    });
    let outcome = host.ask(&about_with(message::REMOVE, "/busy", 1));
    writer.join().unwrap();
    assert!(outcome.is_ok() || outcome == Err(failed("ENOTEMPTY", "remove")), "{:?}", outcome);
    let _ = host.ask(&about_with(message::REMOVE, "/busy", 1));
    assert!(!root.join("busy").exists() && outside.join("secret").exists() && outside.join("inner").exists());
}
