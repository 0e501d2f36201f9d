//! Trees on their way to the host and from it.

mod support;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;
use support::*;
use warmcell_agent::agent::Ending;
use warmcell_agent::message;

const TIME: u64 = 1_600_000_000_123_456_789;

fn failed(errno: &str, step: &str) -> (String, String) {
    (errno.to_string(), step.to_string())
}

fn write_tree(host: &mut Host, path: &str, parts: &[&[u8]]) -> Result<u64, (String, String)> {
    host.write(&about(message::WRITE_TREE, path), &parts.concat())
}

fn modified_ns(path: &Path) -> u64 {
    let about = fs::symlink_metadata(path).unwrap();
    about.mtime() as u64 * 1_000_000_000 + about.mtime_nsec() as u64
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_tree_is_told_with_the_bytes_of_its_files() {
    let mut host = Host::greeted("read-tree");
    let root = host.root.clone();
    let large: Vec<u8> = (0..1u32 << 20).map(|at| (at >> 5) as u8).collect();
    fs::create_dir_all(root.join("app/a/b")).unwrap();
    fs::create_dir(root.join("app/empty")).unwrap();
    fs::write(root.join("app/large"), &large).unwrap();
    fs::write(root.join("app/a/b/small"), "small").unwrap();
    fs::write(root.join("app/a/nothing"), "").unwrap();
    fs::set_permissions(root.join("app/a/nothing"), fs::Permissions::from_mode(0o4711)).unwrap();
    symlink("../..", root.join("app/a/link")).unwrap();
    fifo(&root.join("app/fifo"));
    symlink("app", root.join("current")).unwrap();
    let tree = host.read_tree("/current").unwrap().unwrap();
    let place = |path: &str| tree.iter().position(|(entry, _)| entry.path == path).unwrap_or_else(|| panic!("{} is missing", path));
    assert_eq!(tree.len(), 9);
    assert_eq!((tree[0].0.path.as_str(), tree[0].0.kind), ("", DIRECTORY));
    assert!(place("a") < place("a/b") && place("a/b") < place("a/b/small") && place("a") < place("a/link"));
    assert!(tree[place("large")].1 == large);
    assert_eq!(tree[place("a/b/small")].1, b"small");
    assert_eq!((tree[place("a/nothing")].0.mode, tree[place("a/nothing")].1.len()), (0o4711, 0));
    assert_eq!(tree[place("a/link")].0.target.as_deref(), Some("../.."));
    assert_eq!(tree[place("fifo")].0.kind, OTHER);
    assert_eq!(tree[place("empty")].0.modified_ns, modified_ns(&root.join("app/empty")));
}

#[test]
fn a_tree_may_be_a_file() {
    let mut host = Host::greeted("read-tree-file");
    fs::write(host.root.join("file"), "x").unwrap();
    symlink("file", host.root.join("link")).unwrap();
    fifo(&host.root.join("fifo"));
    let tree = host.read_tree("/link").unwrap().unwrap();
    assert_eq!((tree.len(), tree[0].0.path.as_str(), tree[0].0.kind, &tree[0].1[..]), (1, "", FILE, &b"x"[..]));
    assert_eq!(host.read_tree("/none"), Err(failed("ENOENT", "open")));
    assert_eq!(host.read_tree("/file/x"), Err(failed("ENOTDIR", "open")));
    assert_eq!(host.read_tree("/fifo"), Err(failed("EINVAL", "open")));
}

#[test]
fn a_tree_that_cannot_be_told_is_reset_or_refused() {
    let mut host = Host::greeted("read-tree-failing");
    let root = host.root.clone();
    fs::create_dir(root.join("names")).unwrap();
    fs::write(root.join("names").join(OsStr::from_bytes(b"\xff")), "").unwrap();
    assert_eq!(host.read_tree("/names"), Err(failed("EILSEQ", "read")));
    fs::create_dir(root.join("links")).unwrap();
    symlink(OsStr::from_bytes(b"\xff"), root.join("links/link")).unwrap();
    assert_eq!(host.read_tree("/links"), Err(failed("EILSEQ", "read")));
    fs::create_dir(root.join("shrinks")).unwrap();
    fs::write(root.join("shrinks/file"), vec![7; 1 << 20]).unwrap();
    host.granting = false;
    let id = host.open(&about(message::READ_TREE, "/shrinks"));
    host.until(|host| host.streams[&id].bytes.len() == 256 * 1024);
    fs::write(root.join("shrinks/file"), "short").unwrap();
    host.grant(id, 1 << 21);
    host.until(|host| host.streams[&id].reset);
}

#[test]
fn a_tree_is_made_as_it_was_described() {
    let mut host = Host::greeted("write-tree");
    let root = host.root.clone();
    let large: Vec<u8> = (0..3u32 << 20).map(|at| (at >> 4) as u8).collect();
    let size_bytes = large.len() as u64;
    let result = write_tree(
        &mut host,
        "/srv/new/tree",
        &[
            &node("", DIRECTORY, 0, 0o750, TIME, None),
            &node("empty", DIRECTORY, 0, 0o1777, TIME + 1, None),
            &node("a", DIRECTORY, 0, 0o500, TIME + 2, None),
            &node("a/b", DIRECTORY, 0, 0o755, TIME + 3, None),
            &node("a/b/large", FILE, size_bytes, 0o640, TIME + 4, None),
            &large,
            &node("a/b/nothing", FILE, 0, 0o4755, TIME + 5, None),
            &node("a/link", SYMLINK, 0, 0o777, TIME + 6, Some("b/large")),
            &node("last", FILE, 4, 0o600, TIME + 7, None),
            b"last",
            &node("un/told/file", FILE, 1, 0o600, TIME, None),
            b"x",
        ],
    );
    assert_eq!(result, Ok(size_bytes + 5));
    let top = root.join("srv/new/tree");
    assert!(fs::read(top.join("a/b/large")).unwrap() == large);
    assert_eq!(fs::read(top.join("last")).unwrap(), b"last");
    assert_eq!(fs::read_link(top.join("a/link")).unwrap(), Path::new("b/large"));
    let modes = ["", "empty", "a", "a/b", "a/b/large", "a/b/nothing", "last", "un/told"].map(|path| mode(&top.join(path)));
    assert_eq!(modes, [0o750, 0o1777, 0o500, 0o755, 0o640, 0o4755, 0o600, 0o755]);
    let times = ["", "empty", "a", "a/b", "a/b/large", "a/b/nothing", "a/link", "last"].map(|path| modified_ns(&top.join(path)) - TIME);
    assert_eq!(times, [0, 1, 2, 3, 4, 5, 6, 7]);
    // What is told again is what was made.
    let told = host.read_tree("/srv/new/tree").unwrap().unwrap();
    assert_eq!(told.len(), 11);
}

#[test]
fn what_is_there_is_replaced_and_directories_stay() {
    let mut host = Host::greeted("over");
    let root = host.root.clone();
    fs::create_dir_all(root.join("top/dir/inner")).unwrap();
    fs::set_permissions(root.join("top/dir"), fs::Permissions::from_mode(0o711)).unwrap();
    fs::write(root.join("top/file"), "old").unwrap();
    fs::write(root.join("target"), "kept").unwrap();
    symlink("../target", root.join("top/link")).unwrap();
    symlink("none", root.join("top/other")).unwrap();
    fifo(&root.join("top/fifo"));
    let result = write_tree(
        &mut host,
        "/top",
        &[
            &node("dir", DIRECTORY, 0, 0o700, TIME, None),
            &node("file", FILE, 3, 0o644, TIME, None),
            b"new",
            &node("link", FILE, 4, 0o644, TIME, None),
            b"file",
            &node("other", SYMLINK, 0, 0o777, TIME, Some("dir")),
            &node("fifo", FILE, 0, 0o644, TIME, None),
            &node("", DIRECTORY, 0, 0o700, TIME, None),
        ],
    );
    assert_eq!(result, Ok(7));
    assert_eq!((mode(&root.join("top/dir")), mode(&root.join("top"))), (0o711, 0o755));
    assert!(root.join("top/dir/inner").is_dir());
    assert_eq!(fs::read(root.join("top/file")).unwrap(), b"new");
    assert_eq!(fs::read(root.join("target")).unwrap(), b"kept");
    assert!(fs::symlink_metadata(root.join("top/link")).unwrap().is_file());
    assert_eq!(fs::read_link(root.join("top/other")).unwrap(), Path::new("dir"));
    assert_eq!(fs::read_dir(root.join("top")).unwrap().count(), 5, "nothing temporary is left");
}

#[test]
fn the_top_may_be_a_file_or_a_link() {
    let mut host = Host::greeted("tops");
    let root = host.root.clone();
    assert_eq!(write_tree(&mut host, "/made/file", &[&node("", FILE, 2, 0o600, TIME, None), b"hi"]), Ok(2));
    assert_eq!((mode(&root.join("made/file")), modified_ns(&root.join("made/file"))), (0o600, TIME));
    assert_eq!(write_tree(&mut host, "/made/too/link", &[&node("", SYMLINK, 0, 0o777, TIME, Some("../file"))]), Ok(0));
    assert_eq!(fs::read(root.join("made/too/link")).unwrap(), b"hi");
    assert_eq!(write_tree(&mut host, "/nothing", &[]), Ok(0));
    assert!(!root.join("nothing").exists());
    assert_eq!(write_tree(&mut host, "/made", &[&node("", FILE, 0, 0o600, TIME, None)]).unwrap_err().0, "EISDIR");
    assert_eq!(write_tree(&mut host, "/made", &[&node("", SYMLINK, 0, 0o600, TIME, Some("x"))]).unwrap_err().0, "EISDIR");
}

#[test]
fn a_node_that_cannot_be_made_says_why_and_the_rest_is_thrown_away() {
    let mut host = Host::greeted("refused-nodes");
    let root = host.root.clone();
    let outside = root.parent().unwrap().join("trees-outside");
    let _ = fs::remove_dir_all(&outside);
    fs::create_dir(&outside).unwrap();
    fs::create_dir_all(root.join("top/dir")).unwrap();
    fs::create_dir(root.join("elsewhere")).unwrap();
    symlink("../elsewhere", root.join("top/link")).unwrap();
    symlink(&outside, root.join("top/out")).unwrap();
    fs::write(root.join("top/file"), "old").unwrap();
    let cases = [
        ("/x", "EINVAL"),
        ("../x", "EINVAL"),
        ("a/../x", "EINVAL"),
        ("./x", "EINVAL"),
        ("a//x", "EINVAL"),
        ("x/", "EINVAL"),
        ("nul\0", "EINVAL"),
        ("dir", "EISDIR"),
        ("file/x", "ENOTDIR"),
        ("link/x", "ENOTDIR"),
        ("out/x", "ENOTDIR"),
    ];
    for (path, errno) in cases {
        let more = vec![0; 1 << 20];
        let result = write_tree(&mut host, "/top", &[&node(path, FILE, 1, 0o644, TIME, None), b"x", &more]);
        assert_eq!(result.unwrap_err().0, errno, "{}", path);
    }
    assert_eq!(write_tree(&mut host, "/top", &[&node("file", DIRECTORY, 0, 0o755, TIME, None)]).unwrap_err().0, "ENOTDIR");
    assert_eq!(write_tree(&mut host, "/top", &[&node("link", DIRECTORY, 0, 0o755, TIME, None)]).unwrap_err().0, "ENOTDIR");
    assert_eq!(write_tree(&mut host, "/top", &[&node("new", SYMLINK, 0, 0o755, TIME, None)]).unwrap_err().0, "EINVAL");
    assert_eq!(write_tree(&mut host, "/etc/passwd", &[&node("x", FILE, 0, 0o755, TIME, None)]).unwrap_err().0, "ENOTDIR");
    assert_eq!(fs::read(root.join("top/file")).unwrap(), b"old");
    assert_eq!(fs::read_dir(root.join("top")).unwrap().count(), 4);
    assert_eq!(fs::read_dir(root.join("elsewhere")).unwrap().count() + fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn a_tree_that_breaks_off_leaves_whole_files_alone() {
    let mut host = Host::greeted("broken-off");
    let root = host.root.clone();
    let begun = [node("whole", FILE, 2, 0o644, TIME, None), b"ok".to_vec(), node("half", FILE, 4, 0o644, TIME, None), b"ha".to_vec()];
    let begun: Vec<&[u8]> = begun.iter().map(|part| &part[..]).collect();
    assert_eq!(write_tree(&mut host, "/one", &begun), Err(failed("EINVAL", "write")));
    let id = host.open(&about(message::WRITE_TREE, "/two"));
    host.send(id, &begun.concat());
    host.pause(Duration::from_millis(50));
    host.reset(id);
    host.ping();
    for top in ["one", "two"] {
        assert_eq!(fs::read(root.join(top).join("whole")).unwrap(), b"ok");
        assert_eq!(fs::read_dir(root.join(top)).unwrap().count(), 1);
    }
    let message = node("cut", DIRECTORY, 0, 0o755, TIME, None);
    assert_eq!(write_tree(&mut host, "/three", &[&message[..9]]), Err(failed("EINVAL", "write")));
}

#[test]
fn something_other_than_a_node_ends_the_session() {
    let mut host = Host::greeted("no-node");
    let id = host.open(&about(message::WRITE_TREE, "/top"));
    host.send(id, &about(message::STAT, "/"));
    assert_eq!(host.ending(), Ending::Violation("something other than a node in a tree"));
}

#[test]
fn many_small_files_are_written_and_read_back() {
    let mut host = Host::greeted("many-small");
    let mut parts = Vec::new();
    for directory in 0..50 {
        parts.push(node(&format!("d{}", directory), DIRECTORY, 0, 0o755, TIME, None));
        for number in 0..60 {
            let bytes = format!("{} {}", directory, number).into_bytes();
            parts.push(node(&format!("d{}/f{}", directory, number), FILE, bytes.len() as u64, 0o644, TIME, None));
            parts.push(bytes);
        }
    }
    let parts: Vec<&[u8]> = parts.iter().map(|part| &part[..]).collect();
    assert!(write_tree(&mut host, "/many", &parts).is_ok());
    let tree = host.read_tree("/many").unwrap().unwrap();
    assert_eq!(tree.len(), 1 + 50 + 3000);
    for (entry, bytes) in tree.iter().filter(|(entry, _)| entry.kind == FILE) {
        let expected = entry.path.replace('d', "").replace("/f", " ");
        assert_eq!(bytes, expected.as_bytes());
        assert_eq!((entry.mode, entry.modified_ns), (0o644, TIME));
    }
}
