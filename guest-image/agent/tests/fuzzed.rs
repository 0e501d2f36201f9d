//! The inputs that fuzzing begins with, and all that it has ever found: the agent holds against each.

#[path = "fuzzed/target.rs"]
mod target;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../protocol/vectors.txt");
/// Not there where the agent is built from the published package.
const FOUND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/found/agent");

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

#[test]
fn every_golden_vector_whole_and_cut_short_in_any_pieces() {
    let text = std::fs::read_to_string(VECTORS).unwrap();
    let vectors: Vec<_> = text.lines().filter_map(|line| line.split(" | ").nth(2)).map(bytes).collect();
    assert!(vectors.len() > 100);
    for vector in vectors {
        for kind in 0..4 {
            for size in [0, 1, 7] {
                for length in [vector.len(), vector.len() / 2, vector.len().saturating_sub(1)] {
                    target::run(&[&[kind, size], &vector[..length]].concat());
                }
            }
        }
    }
}

#[test]
fn what_was_found_is_mended() {
    for entry in std::fs::read_dir(FOUND).into_iter().flatten() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        target::run(&std::fs::read(path).unwrap());
    }
}
