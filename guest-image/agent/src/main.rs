//! The first process in the guest: boots the machine to where a tenant's processes can be started, then serves the host.

#![deny(unsafe_code)]

use std::fs;
use std::path::Path;
use warmcell_agent::agent::{Agent, Ending};
use warmcell_agent::boot::command_line::CommandLine;
use warmcell_agent::boot::{kernel_modules, kernel_settings, mounts, port, tenant_init};
use warmcell_agent::console::{self, step};
use warmcell_agent::sys;
use warmcell_agent::tenant::capabilities;
use warmcell_agent::tenant::cgroup::{memory_max_bytes, Cgroup};
use warmcell_agent::tenant::{Tenant, AGENT_NICENESS};

#[cfg(all(not(debug_assertions), not(target_feature = "crt-static")))]
compile_error!("an initramfs has no dynamic loader: build with -C target-feature=+crt-static (RUSTFLAGS overrides .cargo/config.toml)");

fn main() {
    if std::process::id() != 1 {
        eprintln!("warmcell-agent {} is the first process of a microVM, and of no other machine", env!("CARGO_PKG_VERSION"));
        std::process::exit(2);
    }
    console::fail_on_panic();
    match boot() {
        Ok(mut agent) => match agent.run() {
            // The ordinary end: the host is done with this microVM.
            Ending::HostGone => sys::restart(),
            Ending::TenantGone => console::fail("the tenant's init ended: the tenant rebooted or halted its machine"),
            Ending::Violation(rule) => console::fail(&format!("the host broke the protocol: {}", rule)),
            Ending::Broken(error) => console::fail(&error.to_string()),
        },
        Err(reason) => console::fail(&reason),
    }
}

fn boot() -> Result<Agent, String> {
    sys::set_umask(0o022);
    mounts::kernel_file_systems()?;

    step("modules");
    let asked = CommandLine::parse(&fs::read_to_string("/proc/cmdline").map_err(|error| error.to_string())?)?;
    kernel_modules::load(&asked.rootfs)?;

    step("root");
    let memory_max_bytes = memory_max_bytes(Path::new("/proc/meminfo"))?;
    mounts::tenant_root(&asked, memory_max_bytes)?;

    step("tenant");
    set_limits().map_err(|error| format!("limits: {}", error))?;
    sys::loopback_up().map_err(|error| format!("loopback: {}", error))?;
    kernel_settings::apply()?;
    capabilities::bound().map_err(|error| format!("capabilities: {}", error))?;
    let cgroup = Cgroup::make(mounts::CGROUPS, memory_max_bytes, asked.pids_max)?;
    let tenant = Tenant::enclosed(tenant_init::start()?, cgroup)?;

    step("agent port");
    let port = port::open()?;

    let agent = Agent::new(port, tenant).map_err(|error| format!("epoll: {}", error))?;
    step("ready");
    Ok(agent)
}

/// What the agent sets for itself, and what every process of the tenant inherits.
fn set_limits() -> sys::Result<()> {
    const OPEN_FILES: u64 = 65_536;
    sys::forbid_inspection()?;
    sys::set_scheduling(0, sys::Policy::Ordinary, AGENT_NICENESS)?;
    sys::set_limit(sys::RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES)?;
    // The control group says how many processes there may be; the kernel's own guess, by memory, would be met first.
    sys::set_limit(sys::RLIMIT_NPROC, sys::UNLIMITED, sys::UNLIMITED)?;
    // A core file would fill the writable layer; who wants one can ask.
    sys::set_limit(sys::RLIMIT_CORE, 0, sys::UNLIMITED)
}
