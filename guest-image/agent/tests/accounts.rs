//! Who a user is, by the tenant's own files, and never by what they said before.

mod support;

use std::time::Duration;
use support::*;
use warmcell_agent::message;

#[test]
fn who_a_user_is_is_read_anew_as_soon_as_it_has_changed() {
    let mut host = Host::greeted("accounts");
    std::fs::write(host.root.join("etc/group"), "root:x:0:\n").unwrap();
    let mut home_of = |passwd: Option<String>| {
        match passwd {
            Some(text) => std::fs::write(host.root.join("etc/passwd"), text).unwrap(),
            None => std::fs::rename(host.root.join("etc/other"), host.root.join("etc/passwd")).unwrap(),
        }
        std::fs::write(host.root.join("etc/other"), "root:x:0:0:root:/other:/bin/sh\n").unwrap();
        let process = host.start(&["sh", "-c", "echo $HOME"], false);
        assert_eq!(host.exit(&process).code, 0);
        host.output(process.stdio)
    };
    // Of one length, and several within one tick of the clock.
    for round in 0..30 {
        assert_eq!(home_of(Some(format!("root:x:0:0:root:/home-{:02}:/bin/sh\n", round))), format!("/home-{:02}\n", round));
    }
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(home_of(None), "/other\n");
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(home_of(None), "/other\n");
    assert_eq!(home_of(Some("root:x:0:0:root:/third:/bin/sh\n".to_string())), "/third\n");
    let id = host.open(&start(&["true"], "/", "late", false));
    assert_eq!(host.failure(id).1, "user");
    std::fs::write(host.root.join("etc/passwd"), "late:x:7:7::/:/bin/sh\n").unwrap();
    let id = host.open(&start(&["true"], "/", "late", false));
    assert_eq!(host.answer(id).0, message::STARTED);
}
