//! The agent's lines on the console, from which the host tells how far a boot came.

use crate::sys;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::Mutex;

/// What the agent is doing; the last one said is where a failure happened.
static STEP: Mutex<&str> = Mutex::new("start");

pub fn step(name: &'static str) {
    if let Ok(mut step) = STEP.lock() {
        *step = name;
    }
    line(name);
}

/// Says why, and ends the microVM.
pub fn fail(reason: &str) -> ! {
    let step = STEP.lock().map_or("start", |step| *step);
    line(&format!("failed at {}: {}", step, reason));
    sys::restart()
}

/// A panic is a failure like any other, and must not leave a microVM that hangs.
pub fn fail_on_panic() {
    std::panic::set_hook(Box::new(|panic| fail(&panic.to_string().replace('\n', " "))));
}

pub fn line(text: &str) {
    // Opened each time: the agent writes a handful of lines in its life, and /dev may not have been there before.
    if let Ok(mut console) = OpenOptions::new().write(true).open("/dev/console") {
        // One write, so that the kernel's lines do not come between. Without a console there is nobody to tell.
        let _ = console.write_all(format!("warmcell-agent: {}\n", text).as_bytes());
    }
}
