//! The kernel's modules: those that the image lists, in its order.

use crate::errno;
use crate::sys;
use std::fs::{self, File};
use std::io::ErrorKind;

const DIRECTORY: &str = "/modules";

pub fn load() -> Result<(), String> {
    let order = match fs::read_to_string(format!("{}/order", DIRECTORY)) {
        Ok(order) => order,
        // A kernel that has everything built in.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{}/order: {}", DIRECTORY, error)),
    };
    for name in order.split_whitespace() {
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
