//! From the kernel's hand-over to a tenant root that processes can be started in: one file per step.

pub mod command_line;
pub mod kernel_modules;
pub mod kernel_settings;
mod masks;
pub mod mounts;
pub mod port;
pub mod tenant_init;

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Devices announce themselves a moment after their driver is loaded.
const DEVICE_WAIT: Duration = Duration::from_secs(5);
const DEVICE_LOOK_EVERY: Duration = Duration::from_millis(5);

/// Looks until `find` finds.
fn wait_for<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> Result<T, String> {
    let deadline = Instant::now() + DEVICE_WAIT;
    loop {
        if let Some(found) = find() {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return Err(format!("{} did not appear within {} s", what, DEVICE_WAIT.as_secs()));
        }
        sleep(DEVICE_LOOK_EVERY);
    }
}
