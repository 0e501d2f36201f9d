//! What the tenant uses of the machine, and what it may use from now on.

use super::cgroup::Cgroup;
use super::Enclosure;
use crate::boot::mounts::{layer_space, set_layer_size};
use crate::errno::{self, Errno};
use crate::message::{Failed, Limits, Measured};

/// Over which a share of the processors is reckoned. Not the usual 100 ms: whoever has had his share waits for the next period wherever he is,
/// and be it in a child that is about to become a program, for which the agent waits.
const CPU_PERIOD_US: u64 = 10_000;
/// The kernel grants no less in a period: for a small share, it is the period that is longer.
const CPU_QUOTA_US_MIN: u64 = 1000;
const MEMORY: &str = "memory.max";
const PROCESSES: &str = "pids.max";
const CPU: &str = "cpu.max";

/// What a tenant may have of each.
pub struct Bounds {
    memory_bytes: u64,
    disk_bytes: u64,
    processes: u64,
    cpu_percent: u64,
}

impl Bounds {
    /// Read back, because the kernel rounds: what `Measured` says can be asked for.
    pub fn now(cgroup: &Cgroup) -> Result<Bounds, Errno> {
        Ok(Bounds {
            memory_bytes: cgroup.number(MEMORY, None)?,
            disk_bytes: layer_space()?.size_bytes,
            processes: cgroup.number(PROCESSES, None)?,
            cpu_percent: 100 * std::thread::available_parallelism().map_or(1, |count| count.get() as u64),
        })
    }

    fn allow(&self, asked: &Limits) -> Result<(), Failed> {
        let bounds = [
            ("bytes of memory", asked.memory_bytes, self.memory_bytes),
            ("bytes of disk", asked.disk_bytes, self.disk_bytes),
            ("processes", asked.processes, self.processes),
            ("percent of a processor", asked.cpu_percent, self.cpu_percent),
        ];
        for (what, asked, max) in bounds {
            // Of none there is not enough for anything, and to the kernel a disk of 0 bytes is one without a bound.
            if let Some(asked) = asked.filter(|&asked| asked == 0 || asked > max) {
                return Err(Failed::new(errno::EINVAL, "limit", format!("{} {}: it may be 1 to {}, as it was at boot", asked, what, max)));
            }
        }
        Ok(())
    }
}

impl Enclosure {
    pub fn measure(&self) -> Result<Measured, Failed> {
        self.usage().map_err(|error| Failed::because(error, "measure", "cannot read what the sandbox uses"))
    }

    fn usage(&self) -> Result<Measured, Errno> {
        let layer = layer_space()?;
        Ok(Measured {
            cpu_us: self.cgroup.number("cpu.stat", Some("usage_usec"))?,
            memory_bytes: self.cgroup.number("memory.current", None)?,
            // Without a number, such as `max`, what the machine has is what there is.
            memory_max_bytes: self.cgroup.number(MEMORY, None).unwrap_or(self.at_boot.memory_bytes),
            disk_bytes: layer.used_bytes,
            disk_max_bytes: layer.size_bytes,
            processes: self.cgroup.number("pids.current", None)?,
            oom_kills: self.cgroup.out_of_memory_kills(),
        })
    }

    /// All of them, or none.
    pub fn limit(&self, asked: &Limits) -> Result<(), Failed> {
        self.at_boot.allow(asked)?;
        let mut changes = Vec::new();
        if let Some(bytes) = asked.disk_bytes {
            fits("bytes of disk", layer_space().map(|layer| layer.used_bytes), bytes)?;
            changes.push(Change::Layer(bytes));
        }
        if let Some(processes) = asked.processes {
            fits("processes", self.cgroup.number("pids.current", None).map_err(Errno::from), processes)?;
            changes.push(Change::File(PROCESSES, processes.to_string()));
        }
        if let Some(percent) = asked.cpu_percent {
            changes.push(Change::File(CPU, share(percent, self.at_boot.cpu_percent)));
        }
        // The last: with less than is in use, the kernel would kill for it.
        if let Some(bytes) = asked.memory_bytes {
            fits("bytes of memory", self.memory_down_to(bytes), bytes)?;
            changes.push(Change::File(MEMORY, bytes.to_string()));
        }
        self.make(changes)
    }

    /// What is in use once the kernel has given back what it only keeps for later, such as files that were read.
    fn memory_down_to(&self, bytes: u64) -> Result<u64, Errno> {
        let used = || self.cgroup.number("memory.current", None);
        if let Some(too_much) = used()?.checked_sub(bytes).filter(|&count| count > 0) {
            // It says EAGAIN when that was not all, and is not there before Linux 5.19.
            let _ = self.cgroup.write("memory.reclaim", &too_much.to_string());
        }
        Ok(used()?)
    }

    fn make(&self, changes: Vec<Change>) -> Result<(), Failed> {
        let mut undo: Vec<Change> = Vec::new();
        for change in changes {
            let made = self.before(&change).and_then(|before| {
                self.apply(&change)?;
                undo.push(before);
                Ok(())
            });
            if let Err(error) = made {
                for before in undo.iter().rev() {
                    let _ = self.apply(before);
                }
                return Err(match (change, error) {
                    // It has been filled meanwhile.
                    (Change::Layer(bytes), errno::EINVAL) => busy("bytes of disk", bytes),
                    (Change::File(CPU, _), errno::ENOENT) => {
                        Failed::new(errno::EOPNOTSUPP, "limit", "this guest's kernel does not share out processors")
                    }
                    (_, error) => Failed::because(error, "limit", "cannot set a limit"),
                });
            }
        }
        Ok(())
    }

    fn before(&self, change: &Change) -> Result<Change, Errno> {
        Ok(match change {
            Change::Layer(_) => Change::Layer(layer_space()?.size_bytes),
            Change::File(file, _) => Change::File(file, self.cgroup.read(file)?),
        })
    }

    fn apply(&self, change: &Change) -> Result<(), Errno> {
        match change {
            Change::Layer(bytes) => set_layer_size(*bytes),
            Change::File(file, value) => Ok(self.cgroup.write(file, value)?),
        }
    }
}

/// One limit, as it is to be.
enum Change {
    Layer(u64),
    /// Of the control group.
    File(&'static str, String),
}

/// As the control group is told it: so much in each period.
fn share(percent: u64, percent_max: u64) -> String {
    let quota = (CPU_PERIOD_US * percent / 100).max(CPU_QUOTA_US_MIN);
    match percent == percent_max {
        // All there is needs no keeping account of.
        true => format!("max {}", CPU_PERIOD_US),
        false => format!("{} {}", quota, quota * 100 / percent),
    }
}

fn fits(what: &str, used: Result<u64, Errno>, asked: u64) -> Result<(), Failed> {
    match used {
        Ok(used) if used <= asked => Ok(()),
        Ok(_) => Err(busy(what, asked)),
        Err(error) => Err(Failed::because(error, "limit", format!("cannot read how many {} are in use", what))),
    }
}

fn busy(what: &str, asked: u64) -> Failed {
    Failed::new(errno::EBUSY, "limit", format!("more than {} {} are in use", asked, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_BOOT: Bounds = Bounds { memory_bytes: 1000, disk_bytes: 500, processes: 64, cpu_percent: 200 };

    #[test]
    fn a_limit_is_at_most_what_it_was_at_boot() {
        let none = Limits::default();
        let all = Limits { memory_bytes: Some(1000), disk_bytes: Some(500), processes: Some(64), cpu_percent: Some(200) };
        assert!(AT_BOOT.allow(&none).is_ok() && AT_BOOT.allow(&all).is_ok());
        for beyond in [
            Limits { memory_bytes: Some(1001), ..Limits::default() },
            Limits { disk_bytes: Some(501), ..Limits::default() },
            Limits { disk_bytes: Some(0), ..Limits::default() },
            Limits { processes: Some(65), memory_bytes: Some(1), ..Limits::default() },
            Limits { cpu_percent: Some(u64::MAX), ..Limits::default() },
        ] {
            let failed = AT_BOOT.allow(&beyond).unwrap_err();
            assert_eq!((failed.errno, failed.step), (errno::EINVAL, "limit"), "{:?}", beyond);
        }
    }

    #[test]
    fn a_share_of_the_processors_is_so_much_in_each_period() {
        assert_eq!(share(150, 200), "15000 10000");
        assert_eq!(share(200, 200), "max 10000");
        assert_eq!(share(10, 200), "1000 10000");
        assert_eq!(share(3, 200), "1000 33333");
        assert_eq!(share(1, 200), "1000 100000");
    }

    #[test]
    fn what_is_in_use_cannot_be_taken_away() {
        assert!(fits("processes", Ok(5), 5).is_ok());
        assert_eq!(fits("processes", Ok(6), 5).unwrap_err().errno, errno::EBUSY);
    }
}
