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
