//! Finding the virtio-serial port that leads to the host.

use super::wait_for;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;

const PORTS: &str = "/sys/class/virtio-ports";
const NAME: &str = "warmcell.agent";

pub fn open() -> Result<File, String> {
    let path = wait_for(&format!("a virtio port named {}", NAME), find)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(crate::sys::O_NONBLOCK);
    // The name is in sysfs a moment before the node is in /dev.
    wait_for(&path, || options.open(&path).ok())
}

fn find() -> Option<String> {
    for entry in fs::read_dir(PORTS).ok()?.flatten() {
        let name = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
        if name.trim_end() == NAME {
            return Some(format!("/dev/{}", entry.file_name().to_string_lossy()));
        }
    }
    None
}
