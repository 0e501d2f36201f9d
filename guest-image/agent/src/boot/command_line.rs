//! What the host asks for on the kernel's command line.

/// Enough for a build with many jobs, few enough that a fork bomb ends before memory does.
const PIDS_MAX: u64 = 1024;
const DISK_MIB: u64 = 512;

#[derive(Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// Size of the writable layer.
    pub disk_mib: u64,
    /// Processes and threads the tenant may have.
    pub pids_max: u64,
    /// Type of the file system on the root disk.
    pub rootfs: String,
}

impl CommandLine {
    pub fn parse(text: &str) -> Result<CommandLine, String> {
        let mut asked = CommandLine { disk_mib: DISK_MIB, pids_max: PIDS_MAX, rootfs: "erofs".to_string() };
        for word in text.split_whitespace() {
            let (name, value) = match word.strip_prefix("warmcell.").and_then(|ours| ours.split_once('=')) {
                Some(pair) => pair,
                None => continue,
            };
            let number = || value.parse::<u64>().ok().filter(|&number| number > 0).ok_or(format!("{} is not a number above 0", word));
            match name {
                "disk_mib" => asked.disk_mib = number()?,
                "pids" => asked.pids_max = number()?,
                "rootfs" => asked.rootfs = value.to_string(),
                // Of a later host: a name nobody knows must not keep a microVM from starting.
                _ => {}
            }
        }
        Ok(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_for_has_a_default() {
        let parsed = CommandLine::parse("console=ttyS0 quiet warmcell.disk_mib=64\n").unwrap();
        assert_eq!(parsed, CommandLine { disk_mib: 64, pids_max: PIDS_MAX, rootfs: "erofs".to_string() });
        let parsed = CommandLine::parse("warmcell.rootfs=squashfs warmcell.pids=7 warmcell.later=x warmcell.").unwrap();
        assert_eq!(parsed, CommandLine { disk_mib: DISK_MIB, pids_max: 7, rootfs: "squashfs".to_string() });
    }

    #[test]
    fn a_wrong_number_is_named() {
        assert!(CommandLine::parse("warmcell.pids=many").unwrap_err().contains("warmcell.pids=many"));
        assert!(CommandLine::parse("warmcell.disk_mib=0").is_err());
    }
}
