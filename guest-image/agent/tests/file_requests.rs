//! Files being read, described and listed: whatever they are, and whatever leads to them.

mod support;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::time::Duration;
use support::*;
use warmcell_agent::message;

#[test]
fn a_file_is_read_with_its_size_before_it() {
    let mut host = Host::greeted("read");
    fs::write(host.root.join("etc/file"), "content").unwrap();
    fs::write(host.root.join("empty"), "").unwrap();
    symlink("/etc/file", host.root.join("link")).unwrap();
    for path in ["/etc/file", "etc/file", "/link", "/../etc/./file"] {
        assert_eq!(host.read(path), Ok((7, b"content".to_vec())), "{}", path);
    }
    assert_eq!(host.read("/empty"), Ok((0, Vec::new())));
    fifo(&host.root.join("fifo"));
    let cases =
        [("/none", "ENOENT"), ("/etc", "EISDIR"), ("", "EISDIR"), ("/etc/file/x", "ENOTDIR"), ("/fifo", "EINVAL"), ("/nul\0", "EINVAL")];
    for (path, errno) in cases {
        assert_eq!(host.read(path), Err(failed(errno, "open")), "{}", path);
    }
    let id = host.open(&message::Encoder::new(message::READ_FILE).text(1, "/etc/file").text(2, "nobody").finish());
    assert_eq!(host.failure(id), failed("EINVAL", "user"));
}

#[test]
fn a_large_file_waits_for_credit_and_lets_others_pass() {
    let mut host = Host::greeted("large");
    let bytes: Vec<u8> = (0..30u32 << 20).map(|at| (at >> 3) as u8 ^ at as u8).collect();
    fs::write(host.root.join("large"), &bytes).unwrap();
    host.granting = false;
    let id = host.open(&about(message::READ_FILE, "/large"));
    host.until(|host| host.streams[&id].bytes.len() == 256 * 1024);
    host.pause(Duration::from_millis(50));
    assert_eq!(host.streams[&id].bytes.len(), 256 * 1024);
    assert_eq!(host.stat("/large").unwrap().size_bytes, 30 << 20);
    host.granting = true;
    host.grant(id, 256 * 1024);
    host.until(|host| host.streams[&id].finished);
    let (kind, fields) = host.answer(id);
    assert_eq!((kind, number(&fields[0].1)), (message::READING, 30 << 20));
    assert!(host.streams[&id].bytes == bytes);
}

#[test]
fn a_file_that_shrinks_ends_where_it_ends() {
    let mut host = Host::greeted("shrinks");
    fs::write(host.root.join("file"), vec![1; 1 << 20]).unwrap();
    host.granting = false;
    let id = host.open(&about(message::READ_FILE, "/file"));
    host.until(|host| host.streams[&id].bytes.len() == 256 * 1024);
    fs::write(host.root.join("file"), "").unwrap();
    host.granting = true;
    host.grant(id, 1 << 20);
    host.until(|host| host.streams[&id].finished);
}

#[test]
fn something_is_described_by_what_it_is() {
    let mut host = Host::greeted("stat");
    let root = host.root.clone();
    fs::create_dir(root.join("directory")).unwrap();
    fs::set_permissions(root.join("directory"), fs::Permissions::from_mode(0o1777)).unwrap();
    fs::write(root.join("directory/file"), "12345").unwrap();
    symlink("directory/file", root.join("link")).unwrap();
    symlink("/none", root.join("dangling")).unwrap();
    fifo(&root.join("fifo"));
    let file = host.stat("directory//../directory/./file").unwrap();
    let modified = fs::metadata(root.join("directory/file")).unwrap().modified().unwrap();
    let modified_ns = modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    assert_eq!((file.path.as_str(), file.kind, file.size_bytes, file.modified_ns), ("/directory/file", FILE, 5, modified_ns));
    let directory = host.stat("/directory/").unwrap();
    assert_eq!((directory.path.as_str(), directory.kind, directory.mode), ("/directory", DIRECTORY, 0o1777));
    let link = host.stat("/link").unwrap();
    assert_eq!((link.kind, link.target.as_deref(), link.size_bytes), (SYMLINK, Some("directory/file"), 14));
    assert_eq!(host.stat("/dangling").unwrap().target.as_deref(), Some("/none"));
    assert_eq!(host.stat("/fifo").unwrap().kind, OTHER);
    assert_eq!(host.stat("").unwrap().path, "/");
    assert_eq!(host.stat("/none"), Err(failed("ENOENT", "stat")));
    assert_eq!(host.stat("/link/x"), Err(failed("ENOTDIR", "stat")));
}

#[test]
fn owners_have_names_where_there_are_names() {
    let mut host = Host::greeted("owners");
    fs::write(host.root.join("file"), "").unwrap();
    let uid = std::os::unix::fs::MetadataExt::uid(&fs::metadata(host.root.join("file")).unwrap());
    fs::write(host.root.join("etc/passwd"), format!("root:x:0:0::/:\nfirst:x:{}:7::/:\nsecond:x:{}:7::/:\n", uid, uid)).unwrap();
    let expected = if uid == 0 { "root" } else { "first" };
    assert_eq!(host.stat("/file").unwrap().owner, expected);
    fs::write(host.root.join("etc/passwd"), "root:x:4242:0::/:\n").unwrap();
    assert_eq!(host.stat("/file").unwrap().owner, uid.to_string());
}

#[test]
fn a_directory_is_listed_to_a_depth() {
    let mut host = Host::greeted("list");
    let root = host.root.clone();
    fs::create_dir_all(root.join("srv/a/b/c")).unwrap();
    fs::write(root.join("srv/a/b/file"), "x").unwrap();
    symlink("a", root.join("srv/link")).unwrap();
    symlink("/srv", root.join("also")).unwrap();
    assert_eq!(paths(&host.list("/srv", 1).unwrap()), ["/srv/a", "/srv/link"]);
    assert_eq!(paths(&host.list("/srv/", 2).unwrap()), ["/srv/a", "/srv/a/b", "/srv/link"]);
    let all = host.list("/srv", u64::MAX).unwrap();
    assert_eq!(paths(&all), ["/srv/a", "/srv/a/b", "/srv/a/b/c", "/srv/a/b/file", "/srv/link"]);
    assert_eq!((all[3].kind, all[3].size_bytes, all[4].kind), (FILE, 1, SYMLINK));
    assert_eq!(paths(&host.list("also/../also", 1).unwrap()), ["/also/a", "/also/link"]);
    assert_eq!(host.list("/srv/a/b/c", 3), Ok(Vec::new()));
    assert_eq!(paths(&host.list("/", 1).unwrap()), ["/also", "/etc", "/run", "/srv"]);
    assert_eq!(host.list("/none", 1), Err(failed("ENOENT", "open")));
    assert_eq!(host.list("/etc/passwd", 1), Err(failed("ENOTDIR", "open")));
}

#[test]
fn a_file_on_its_way_is_not_there_yet() {
    let mut host = Host::greeted("on-its-way");
    fs::create_dir(host.root.join("srv")).unwrap();
    let id = host.open(&write_file("/srv/file", 0o644));
    host.send(id, b"half");
    host.ping();
    assert_eq!(fs::read_dir(host.root.join("srv")).unwrap().count(), 1);
    assert_eq!(host.list("/srv", 1), Ok(Vec::new()));
    assert_eq!(host.read_tree("/srv").unwrap().unwrap().len(), 1);
    host.finish(id);
    host.until(|host| host.streams[&id].finished);
    assert_eq!(paths(&host.list("/srv", 1).unwrap()), ["/srv/file"]);
}

#[test]
fn ten_thousand_entries_are_each_told_once_and_then_removed() {
    let mut host = Host::greeted("many");
    let root = host.root.clone();
    for one in 0..100 {
        fill(&root.join(format!("many/{}", one)), (0..100).map(|other: u32| other.to_string()));
    }
    fill(&root.join("flat"), (0..10_000).map(|number: u32| format!("a-rather-long-name-{}", number)));
    for (path, depth, expected) in [("/many", 2, 10_100), ("/flat", 1, 10_000)] {
        host.granting = false;
        let id = host.open(&about_with(message::LIST, path, depth));
        host.until(|host| host.streams[&id].bytes.len() == 256 * 1024);
        assert!(host.stat(path).is_ok(), "others have their turn");
        host.reset(id);
        host.granting = true;
        let entries = host.list(path, depth).unwrap();
        assert_eq!(entries.iter().map(|entry| &entry.path).collect::<BTreeSet<_>>().len(), expected);
        assert_eq!(entries.len(), expected);
        assert_eq!(host.ask(&about_with(message::REMOVE, path, 0)), Err(failed("ENOTEMPTY", "remove")));
        assert_eq!(host.ask(&about_with(message::REMOVE, path, 1)), Ok(()));
        assert!(!root.join(&path[1..]).exists());
    }
}

#[test]
fn a_deep_tree_is_listed_read_and_removed() {
    let mut host = Host::greeted("deep");
    let root = host.root.clone();
    let mut path = root.join("deep");
    // As many open directories as a test may have by default.
    for _ in 0..400 {
        path.push("d");
    }
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("file"), "bottom").unwrap();
    assert_eq!(host.list("/deep", 1000).unwrap().len(), 401);
    let tree = host.read_tree("/deep").unwrap().unwrap();
    assert_eq!((tree.len(), tree[401].1.as_slice()), (402, &b"bottom"[..]));
    assert_eq!(host.ask(&about_with(message::REMOVE, "/deep", 1)), Ok(()));
    assert!(!root.join("deep").exists());
}

#[test]
fn names_that_are_no_text_are_seen() {
    let mut host = Host::greeted("names");
    fs::create_dir(host.root.join("srv")).unwrap();
    fs::write(host.root.join("srv").join(OsStr::from_bytes(b"caf\xe9")), "x").unwrap();
    symlink(OsStr::from_bytes(b"\xff"), host.root.join("srv/link")).unwrap();
    let entries = host.list("/srv", 1).unwrap();
    assert_eq!(paths(&entries), ["/srv/caf\u{fffd}", "/srv/link"]);
    assert_eq!(entries[1].target.as_deref(), Some("\u{fffd}"));
    assert_eq!(host.ask(&about_with(message::REMOVE, "/srv", 1)), Ok(()));
}

#[test]
fn no_path_leads_out_of_the_root() {
    let mut host = Host::greeted("walls");
    let outside = outside(&host, "walls-outside");
    for path in ["/../walls-outside", "/absolute", "/relative", "/etc/../../walls-outside", "/absolute/../walls-outside"] {
        assert_eq!(host.read(&format!("{}/secret", path)).unwrap_err().0, "ENOENT", "{}", path);
        assert_eq!(host.stat(&format!("{}/secret", path)).unwrap_err().0, "ENOENT", "{}", path);
        assert_eq!(host.list(&format!("{}/", path), 1).unwrap_err().0, "ENOENT", "{}", path);
        assert_eq!(host.read_tree(&format!("{}/inner", path)).unwrap_err().0, "ENOENT", "{}", path);
        assert_eq!(host.ask(&about_with(message::REMOVE, &format!("{}/secret", path), 1)).unwrap_err().0, "ENOENT", "{}", path);
        // Where no link is in the way, it is in the root that something is made.
        let made = !path.starts_with("/absolute") && !path.starts_with("/relative");
        assert_eq!(host.ask(&about(message::MAKE_DIRECTORY, &format!("{}/inner/new", path))).is_ok(), made, "{}", path);
        assert_eq!(host.ask(&rename("/etc/passwd", &format!("{}/passwd", path))).is_ok(), made, "{}", path);
        fs::write(host.root.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n").unwrap();
        let _ = fs::remove_dir_all(host.root.join("walls-outside"));
    }
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(outside.join("inner")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 2);
}
