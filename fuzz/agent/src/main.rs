//! The function that libFuzzer's main calls with each input: https://llvm.org/docs/LibFuzzer.html

#![no_main]

#[path = "../../../guest-image/agent/tests/fuzzed/target.rs"]
mod target;

#[no_mangle]
pub extern "C" fn LLVMFuzzerTestOneInput(data: *const u8, size: usize) -> i32 {
    // Safety: libFuzzer's input, which lives as long as this call. Empty, it may be nowhere.
    let input = if size == 0 { &[][..] } else { unsafe { std::slice::from_raw_parts(data, size) } };
    target::run(input);
    0
}
