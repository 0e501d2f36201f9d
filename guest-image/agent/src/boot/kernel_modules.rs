//! The kernel's modules: those that the image lists, in its order, but for file systems that this root disk does not have.

use crate::errno;
use crate::sys;
use std::fs::{self, File};
use std::io::ErrorKind;

const DIRECTORY: &str = "/modules";

pub fn load(rootfs: &str) -> Result<(), String> {
    let order = match fs::read_to_string(format!("{}/order", DIRECTORY)) {
        Ok(order) => order,
        // A kernel that has everything built in.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{}/order: {}", DIRECTORY, error)),
    };
    for name in wanted(&order, rootfs) {
        let path = format!("{}/{}", DIRECTORY, name);
        let file = File::open(&path).map_err(|error| format!("{}: {}", path, error))?;
        match sys::load_module(&file) {
            Ok(()) | Err(errno::EEXIST) => {}
            Err(error) => return Err(format!("{}: {}", path, error)),
        }
    }
    // The initramfs lives in memory: what is loaded need not lie there twice.
    let _ = fs::remove_dir_all(DIRECTORY);
    Ok(())
}

/// A line is a file, and behind it perhaps `rootfs=` and the one file system that it is for.
fn wanted<'a>(order: &'a str, rootfs: &'a str) -> impl Iterator<Item = &'a str> {
    order.lines().filter_map(move |line| {
        let mut words = line.split_whitespace();
        let name = words.next()?;
        match words.next() {
            None => Some(name),
            Some(condition) => (condition.strip_prefix("rootfs=") == Some(rootfs)).then_some(name),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::wanted;

    #[test]
    fn a_file_system_is_loaded_only_for_a_root_that_has_it() {
        let order = "virtio_blk.ko\nlibcrc32c.ko rootfs=erofs\nerofs.ko rootfs=erofs\n\nsquashfs.ko rootfs=squashfs\n";
        assert_eq!(wanted(order, "erofs").collect::<Vec<_>>(), ["virtio_blk.ko", "libcrc32c.ko", "erofs.ko"]);
        assert_eq!(wanted(order, "squashfs").collect::<Vec<_>>(), ["virtio_blk.ko", "squashfs.ko"]);
        assert_eq!(wanted(order, "ext4").collect::<Vec<_>>(), ["virtio_blk.ko"]);
    }
}
