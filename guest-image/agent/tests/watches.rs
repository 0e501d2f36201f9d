//! Files being watched: each change is told once, by the path it happened at.

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};
use support::Told::*;
use support::*;
use warmcell_agent::message;

fn s(text: &str) -> String {
    text.to_string()
}

#[test]
fn a_file_is_created_written_renamed_and_removed() {
    let mut host = Host::greeted("watch-plain");
    let top = host.root.join("srv");
    fs::create_dir(&top).unwrap();
    fs::write(top.join("old"), "x").unwrap();
    let id = host.watch("//srv/../srv", false);
    fs::write(top.join("new"), "some text").unwrap();
    assert_eq!(host.all_told(id, "/srv", "1"), [Create(s("/srv/new")), Write(s("/srv/new"))]);
    fs::write(top.join("old"), "more").unwrap();
    fs::rename(top.join("old"), top.join("older")).unwrap();
    fs::remove_file(top.join("older")).unwrap();
    let told = host.all_told(id, "/srv", "2");
    assert_eq!(told, [Write(s("/srv/old")), Rename(s("/srv/old"), s("/srv/older")), Remove(s("/srv/older"))]);
    // What is looked at, or is about something else than content, is no change.
    fs::read(top.join("new")).unwrap();
    fs::set_permissions(top.join("new"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    fs::create_dir(top.join("1/below")).unwrap();
    assert_eq!(host.all_told(id, "/srv", "3"), []);
    host.reset(id);
    host.ping();
}

#[test]
fn a_file_that_stays_open_is_told_of_as_it_grows() {
    let mut host = Host::greeted("watch-log");
    let id = host.watch("/", false);
    let mut log = File::create(host.root.join("log")).unwrap();
    assert_eq!(host.told(id), Create(s("/log")));
    for _ in 0..2 {
        for _ in 0..50 {
            log.write_all(b"a line\n").unwrap();
        }
        let begun = Instant::now();
        assert_eq!(host.told(id), Write(s("/log")));
        assert!(begun.elapsed() < Duration::from_secs(5));
        host.pause(Duration::from_millis(150));
        assert!(host.streams[&id].bytes.len() <= 200, "once, not fifty times");
        host.streams.get_mut(&id).unwrap().bytes.clear();
    }
}

#[test]
fn what_the_host_writes_appears_at_once() {
    let mut host = Host::greeted("watch-host");
    let id = host.watch("/", true);
    assert_eq!(host.write(&write_file("/new", 0o644), b"1"), Ok(1));
    assert_eq!(host.write(&write_file("/new", 0o644), b"22"), Ok(2));
    assert_eq!(host.write(&write_file_as("/new", None, true), b"3"), Ok(1));
    assert_eq!(host.all_told(id, "", "mark"), [Create(s("/new")), Write(s("/new")), Write(s("/new"))]);
}

#[test]
fn what_comes_in_is_created_and_what_leaves_is_removed() {
    let mut host = Host::greeted("watch-borders");
    let root = host.root.clone();
    for directory in ["in/deep", "out", "moving/deep"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::write(root.join("out/file"), "x").unwrap();
    fs::write(root.join("moving/deep/file"), "x").unwrap();
    let id = host.watch("/in", true);
    fs::rename(root.join("out/file"), root.join("in/file")).unwrap();
    fs::rename(root.join("in/file"), root.join("in/deep/file")).unwrap();
    fs::rename(root.join("in/deep/file"), root.join("out/file")).unwrap();
    let told = host.all_told(id, "/in", "1");
    assert_eq!(told, [Create(s("/in/file")), Rename(s("/in/file"), s("/in/deep/file")), Remove(s("/in/deep/file"))]);
    fs::rename(root.join("moving"), root.join("in/moved")).unwrap();
    let told = host.all_told(id, "/in", "2");
    assert_eq!(told, [Create(s("/in/moved")), Create(s("/in/moved/deep")), Create(s("/in/moved/deep/file"))]);
    fs::rename(root.join("in/moved"), root.join("in/deep/again")).unwrap();
    fs::write(root.join("in/deep/again/deep/file"), "y").unwrap();
    let told = host.all_told(id, "/in", "3");
    assert_eq!(told, [Rename(s("/in/moved"), s("/in/deep/again")), Write(s("/in/deep/again/deep/file"))]);
    // Gone from here, it is nobody's business any more.
    fs::rename(root.join("in/deep"), root.join("gone")).unwrap();
    host.until(|host| !host.streams[&id].bytes.is_empty());
    fs::write(root.join("gone/again/deep/file"), "z").unwrap();
    fs::write(root.join("gone/file"), "z").unwrap();
    assert_eq!(host.all_told(id, "/in", "4"), [Remove(s("/in/deep"))]);
}

#[test]
fn new_directories_are_watched_with_all_that_is_in_them() {
    let mut host = Host::greeted("watch-new");
    let root = host.root.clone();
    let id = host.watch("/", true);
    fs::create_dir_all(root.join("a/b/c/d")).unwrap();
    fs::write(root.join("a/b/c/d/file"), "x").unwrap();
    symlink("../etc", root.join("a/link")).unwrap();
    let mut told = Vec::new();
    for _ in 0..6 {
        told.push(host.told(id));
    }
    let made: Vec<String> = ["/a", "/a/b", "/a/b/c", "/a/b/c/d", "/a/b/c/d/file", "/a/link"].map(s).to_vec();
    let mut created: Vec<String> = told.iter().filter_map(|told| if let Create(path) = told { Some(path.clone()) } else { None }).collect();
    created.sort();
    created.dedup();
    told = host.all_told(id, "", "1");
    created.extend(told.iter().filter_map(|told| if let Create(path) = told { Some(path.clone()) } else { None }));
    created.sort();
    created.dedup();
    assert_eq!(created, made);
    fs::write(root.join("a/b/c/d/file"), "y").unwrap();
    fs::write(root.join("a/link/new"), "not below: a link is not followed").unwrap();
    let told = host.all_told(id, "", "2");
    assert_eq!(told.iter().filter(|told| matches!(told, Write(path) if path == "/a/b/c/d/file")).count(), 1, "{:?}", told);
    assert!(told.contains(&Create(s("/etc/new"))) && !told.iter().any(|told| matches!(told, Create(path) if path == "/a/link/new")));
    fs::remove_dir_all(root.join("a")).unwrap();
    let told = host.all_told(id, "", "3");
    let removed: Vec<_> = told.iter().filter(|told| matches!(told, Remove(_))).collect();
    assert_eq!(removed.len(), 6, "{:?}", told);
    assert_eq!(told.last(), Some(&Remove(s("/a"))));
    // And once more in the same place.
    fs::create_dir_all(root.join("a/b")).unwrap();
    assert_eq!(host.told(id), Create(s("/a")));
    assert_eq!(host.told(id), Create(s("/a/b")));
    fs::write(root.join("a/b/file"), "x").unwrap();
    assert_eq!(host.all_told(id, "", "4"), [Create(s("/a/b/file")), Write(s("/a/b/file"))]);
}

#[test]
fn directories_that_are_renamed_as_they_are_made_are_not_missed() {
    let mut host = Host::greeted("watch-busy");
    let root = host.root.clone();
    let id = host.watch("/", true);
    for round in 0..20 {
        let (one, other) = (root.join(format!("a{}", round)), root.join(format!("b{}", round)));
        fs::create_dir_all(one.join("x/y/z")).unwrap();
        fs::rename(&one, &other).unwrap();
    }
    host.all_told(id, "", "1");
    for round in 0..20 {
        fs::write(root.join(format!("b{}/x/y/z/file", round)), "x").unwrap();
    }
    let told = host.all_told(id, "", "2");
    for round in 0..20 {
        let path = format!("/b{}/x/y/z/file", round);
        assert!(told.contains(&Write(path.clone())), "{} in {:?}", path, told);
    }
}

#[test]
fn one_file_is_watched_through_being_replaced_until_it_is_gone() {
    let mut host = Host::greeted("watch-file");
    let root = host.root.clone();
    fs::create_dir(root.join("conf")).unwrap();
    fs::write(root.join("conf/file"), "1").unwrap();
    fs::write(root.join("conf/other"), "1").unwrap();
    symlink("conf/file", root.join("link")).unwrap();
    let id = host.watch("/link", true);
    fs::write(root.join("conf/file"), "2").unwrap();
    assert_eq!(host.told(id), Write(s("/link")));
    fs::write(root.join("conf/other"), "2").unwrap();
    fs::rename(root.join("conf/other"), root.join("conf/file")).unwrap();
    assert_eq!(host.told(id), Write(s("/link")));
    assert_eq!(host.write(&write_file("/conf/file", 0o644), b"3"), Ok(1));
    assert_eq!(host.told(id), Write(s("/link")));
    OpenOptions::new().append(true).open(root.join("conf/file")).unwrap().write_all(b"4").unwrap();
    assert_eq!(host.told(id), Write(s("/link")));
    fs::remove_file(root.join("conf/file")).unwrap();
    assert_eq!(host.told(id), Remove(s("/link")));
    host.until(|host| host.streams[&id].finished);
    assert!(host.streams[&id].bytes.is_empty());
}

#[test]
fn a_directory_that_goes_ends_the_watch() {
    let mut host = Host::greeted("watch-gone");
    let root = host.root.clone();
    for (recursive, leave) in [(true, true), (false, true), (true, false), (false, false)] {
        fs::create_dir_all(root.join("top/below")).unwrap();
        let id = host.watch("/top", recursive);
        if leave {
            fs::rename(root.join("top"), root.join("left")).unwrap();
            fs::remove_dir_all(root.join("left")).unwrap();
        } else {
            fs::remove_dir_all(root.join("top")).unwrap();
            assert_eq!(host.told(id), Remove(s("/top/below")));
        }
        assert_eq!(host.told(id), Remove(s("/top")));
        host.until(|host| host.streams[&id].finished);
        assert!(host.streams[&id].bytes.is_empty());
        host.finish(id);
    }
    let id = host.open(&about_with(message::WATCH, "/top", 0));
    assert_eq!(host.failure(id), (s("ENOENT"), s("watch")));
}

#[test]
fn changes_that_nobody_takes_are_lost_with_a_word_and_the_watch_goes_on() {
    let mut host = Host::greeted("watch-overflow");
    let root = host.root.clone();
    let id = host.watch("/", true);
    host.granting = false;
    let max: usize = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap().trim().parse().unwrap();
    fill(&root.join("many"), (0..max + 10_000).map(|number| number.to_string()));
    fs::create_dir_all(root.join("late/below")).unwrap();
    host.pause(Duration::from_millis(200));
    host.granting = true;
    host.grant(id, 1 << 20);
    loop {
        if host.told(id) == Overflow(s("/")) {
            break;
        }
    }
    // What it made up for itself meanwhile is watched.
    assert!(host.all_told(id, "", "1").len() < 10);
    fs::write(root.join("late/below/file"), "x").unwrap();
    assert_eq!(host.all_told(id, "", "2"), [Create(s("/late/below/file")), Write(s("/late/below/file"))]);
}

#[test]
fn there_is_an_end_to_what_is_watched() {
    let mut host = Host::greeted("watch-limit");
    let root = host.root.clone();
    for one in 0..90 {
        for other in 0..100 {
            fs::create_dir_all(root.join(format!("{}/{}", one, other))).unwrap();
        }
    }
    let id = host.watch("/", true);
    assert_eq!(host.told(id), Overflow(s("/")));
    fs::write(root.join("file"), "x").unwrap();
    assert_eq!(host.all_told(id, "", "mark"), [Create(s("/file")), Write(s("/file"))]);
}

#[test]
fn a_name_that_is_no_text_is_told_as_well_as_can_be() {
    use std::os::unix::ffi::OsStrExt;
    let mut host = Host::greeted("watch-names");
    let id = host.watch("/", false);
    File::create(host.root.join(std::ffi::OsStr::from_bytes(b"caf\xe9"))).unwrap();
    assert_eq!(host.told(id), Create(s("/caf\u{fffd}")));
}
