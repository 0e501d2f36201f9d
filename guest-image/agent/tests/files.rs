//! Files the host writes: whole or not at all, and never outside the tenant's root.

mod support;

use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use support::*;
use warmcell_agent::message;

fn written(host: &mut Host, path: &str, mode: u64, bytes: &[u8]) -> Result<u64, (String, String)> {
    let id = host.open(&write_file(path, mode));
    host.send(id, bytes);
    host.finish(id);
    host.until(|host| host.streams[&id].finished);
    if host.streams[&id].bytes[4] == message::WRITTEN {
        Ok(number(&host.answer(id).1[0].1))
    } else {
        Err(host.failure(id))
    }
}

fn names(host: &Host, path: &str) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(host.root.join(path)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_appears_with_its_parents_its_mode_and_every_byte() {
    let mut host = Host::greeted("file");
    let bytes: Vec<u8> = (0..1 << 20).map(|at: u32| at as u8).collect();
    assert_eq!(written(&mut host, "/srv/deep/er/tool", 0o4750, &bytes), Ok(1 << 20));
    let path = host.root.join("srv/deep/er/tool");
    assert!(fs::read(&path).unwrap() == bytes);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o4750);
    assert_eq!(fs::metadata(host.root.join("srv/deep")).unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!(written(&mut host, "/srv/deep/er/tool", 0o600, b""), Ok(0));
    assert_eq!(fs::read(&path).unwrap(), b"");
    assert_eq!(names(&host, "srv/deep/er"), ["tool"]);
}

#[test]
fn no_path_leads_out_of_the_root() {
    let mut host = Host::greeted("inside");
    let outside = host.root.parent().unwrap().join("outside");
    let _ = fs::remove_dir_all(&outside);
    fs::create_dir(&outside).unwrap();
    symlink(&outside, host.root.join("absolute")).unwrap();
    symlink("../outside", host.root.join("relative")).unwrap();
    for path in ["/../outside/a", "/absolute/b", "/relative/c"] {
        let _ = written(&mut host, path, 0o644, b"x");
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_written_says_why_and_leaves_nothing() {
    let mut host = Host::greeted("refused");
    fs::create_dir(host.root.join("directory")).unwrap();
    let cases = [
        ("/etc/passwd/x", "ENOTDIR"),
        ("/directory", "EISDIR"),
        ("/new/directory/", "EISDIR"),
        ("/new/..", "EINVAL"),
        ("/etc/nul\0", "EINVAL"),
    ];
    for (path, errno) in cases {
        assert_eq!(written(&mut host, path, 0o644, b"x").unwrap_err().0, errno, "{}", path);
    }
    let long = format!("/made/{}", "n".repeat(300));
    assert_eq!(written(&mut host, &long, 0o644, b"x").unwrap_err().0, "ENAMETOOLONG");
    assert_eq!(names(&host, ""), ["directory", "etc", "run"]);
}

#[test]
fn a_file_that_is_reset_leaves_nothing() {
    let mut host = Host::greeted("reset");
    let id = host.open(&write_file("/made/for/it", 0o644));
    host.send(id, b"half");
    host.reset(id);
    assert_eq!(written(&mut host, "/other", 0o644, b"x"), Ok(1));
    assert_eq!(names(&host, ""), ["etc", "other", "run"]);
}

#[test]
fn a_file_keeps_its_mode_where_none_is_given() {
    let mut host = Host::greeted("mode");
    let mode = |host: &Host, path: &str| fs::metadata(host.root.join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(host.write(&write_file_as("/tool", None, false), b"1"), Ok(1));
    assert_eq!(mode(&host, "tool"), 0o644);
    fs::set_permissions(host.root.join("tool"), fs::Permissions::from_mode(0o2751)).unwrap();
    assert_eq!(host.write(&write_file_as("/tool", None, false), b"22"), Ok(2));
    assert_eq!((mode(&host, "tool"), fs::read(host.root.join("tool")).unwrap()), (0o2751, b"22".to_vec()));
    assert_eq!(host.write(&write_file_as("/tool", Some(0o600), false), b"3"), Ok(1));
    assert_eq!(mode(&host, "tool"), 0o600);
}

#[test]
fn a_link_is_written_through_and_never_out_of_the_root() {
    let mut host = Host::greeted("through");
    let root = host.root.clone();
    fs::create_dir_all(root.join("real/conf")).unwrap();
    fs::write(root.join("real/conf/file"), "old").unwrap();
    fs::set_permissions(root.join("real/conf/file"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("../real/conf", root.join("etc/conf")).unwrap();
    symlink("/etc/conf/file", root.join("absolute")).unwrap();
    symlink("absolute", root.join("twice")).unwrap();
    symlink("../../../../real/new", root.join("etc/dangling")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    symlink("/real", root.join("directory")).unwrap();
    for (path, append) in [("/twice", false), ("/twice", true), ("/etc/conf/../conf/file", true)] {
        assert_eq!(host.write(&write_file_as(path, None, append), b"new"), Ok(3), "{}", path);
    }
    assert_eq!(fs::read(root.join("real/conf/file")).unwrap(), b"newnewnew");
    assert_eq!(fs::metadata(root.join("real/conf/file")).unwrap().permissions().mode() & 0o7777, 0o640);
    assert!(fs::symlink_metadata(root.join("twice")).unwrap().file_type().is_symlink());
    for append in [false, true] {
        assert_eq!(host.write(&write_file_as("/etc/dangling", None, append), b"x"), Ok(1));
        assert_eq!(fs::read(root.join("real/new")).unwrap(), b"x");
        fs::remove_file(root.join("real/new")).unwrap();
        assert_eq!(host.write(&write_file_as("/loop", None, append), b"").unwrap_err().0, "ELOOP");
        assert_eq!(host.write(&write_file_as("/directory", None, append), b"").unwrap_err().0, "EISDIR");
    }
    assert_eq!(names(&host, "real"), ["conf"]);
    assert_eq!(names(&host, "real/conf"), ["file"]);
}

#[test]
fn what_is_appended_stays_whatever_comes_after() {
    let mut host = Host::greeted("append");
    let root = host.root.clone();
    let id = host.open(&write_file_as("/new/log", Some(0o600), true));
    host.send(id, b"one ");
    host.ping();
    assert_eq!(fs::read(root.join("new/log")).unwrap(), b"one ");
    host.reset(id);
    host.ping();
    assert_eq!(fs::metadata(root.join("new/log")).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(host.write(&write_file_as("/new/log", Some(0o644), true), b"two"), Ok(3));
    assert_eq!(fs::read(root.join("new/log")).unwrap(), b"one two");
    assert_eq!(fs::metadata(root.join("new/log")).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(host.write(&write_file_as("/etc/passwd/x", None, true), b"").unwrap_err().0, "ENOTDIR");
    assert_eq!(host.write(&write_file_as(&format!("/made/{}", "n".repeat(300)), None, true), b"").unwrap_err().0, "ENAMETOOLONG");
    assert!(!root.join("made").exists());
}

#[test]
fn what_is_no_regular_file_is_not_written() {
    let mut host = Host::greeted("irregular");
    fifo(&host.root.join("fifo"));
    for append in [false, true] {
        let failure = host.write(&write_file_as("/fifo", None, append), b"x").unwrap_err();
        assert_eq!(failure.0, "EINVAL");
    }
    assert_eq!(host.stat("/fifo").unwrap().kind, OTHER);
}
