// The kernel: the calls that are refused, and the doors beside them.

#include "posture.h"
#include <sys/socket.h>
#include <sys/syscall.h>

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif
#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif

struct call { const char *name; long number, arguments[3]; };
#define CALL(name, ...) {#name, SYS_##name, {__VA_ARGS__}}

/// With arguments that do no harm where the call is let through.
static void calls(void) {
  static const struct call all[] = {CALL(mount), CALL(umount2), CALL(pivot_root), CALL(open_tree, -1), CALL(move_mount, -1), CALL(fsopen),
    CALL(fsconfig, -1), CALL(fsmount, -1), CALL(fspick, -1), CALL(mount_setattr, -1), CALL(swapon), CALL(swapoff), CALL(quotactl, -1),
    CALL(quotactl_fd, -1), CALL(open_by_handle_at, -1), CALL(fanotify_init, -1, -1), CALL(unshare, CLONE_NEWNET), CALL(setns, -1),
    CALL(bpf, -1), CALL(perf_event_open), CALL(userfaultfd, -1), CALL(io_uring_setup), CALL(io_uring_enter, -1), CALL(io_uring_register, -1),
    CALL(add_key), CALL(request_key), CALL(keyctl, -1), CALL(init_module), CALL(finit_module, -1), CALL(delete_module), CALL(kexec_load, -1),
#ifdef SYS_kexec_file_load
    CALL(kexec_file_load, -1),
#endif
    CALL(syslog, 10), CALL(reboot), CALL(sethostname, 0, -1), CALL(setdomainname, 0, -1), CALL(acct, 1), CALL(settimeofday, 1, 1),
    CALL(clock_settime, -1), CALL(adjtimex), CALL(clock_adjtime, -1), CALL(kcmp, -1), CALL(pidfd_getfd, -1), CALL(migrate_pages, -1),
    CALL(move_pages, -1), CALL(mbind), CALL(get_mempolicy), CALL(set_mempolicy, -1), CALL(set_mempolicy_home_node), CALL(personality, 0x10),
    CALL(lookup_dcookie),
#ifdef __x86_64__
    CALL(nfsservctl), CALL(iopl, 3), CALL(ioperm, 0, 1, 1), CALL(uselib), CALL(ustat), CALL(sysfs), CALL(_sysctl), CALL(modify_ldt, -1),
    CALL(create_module), CALL(get_kernel_syms), CALL(query_module), {"x32's getpid", 0x40000000 + 39, {0}},
#endif
    {"one that nobody knows", 1000, {0}}};
  const char *answers[3] = {"EPERM", "ENOSYS", NULL};
  for (int round = 0; round < 3; round++) {
    for (size_t at = 0; at < sizeof all / sizeof *all; at++) {
      const struct call *call = &all[at];
      const char *answer = outcome(syscall(call->number, call->arguments[0], call->arguments[1], call->arguments[2], 0, 0, 0));
      int is_other = strcmp(answer, "EPERM") && strcmp(answer, "ENOSYS");
      if (answers[round] ? strcmp(answer, answers[round]) == 0 : is_other) add_word(call->name);
      if (!answers[round] && is_other) add("=%s", answer);
    }
    char what[64];
    snprintf(what, sizeof what, "system calls: %s", answers[round] ? answers[round] : "let through");
    say(what);
  }
}

#ifdef __x86_64__
static int by_32_bits(void) {
  long result = 20; // getpid
  __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
  return 0;
}
#endif

static void doors(void) {
#ifdef __x86_64__
  add("%s", as_child(by_32_bits) < 0 ? "killed" : "done");
  say("a system call of 32 bits");
#endif
  static const char *families[46] = {[1] = "unix", [2] = "inet", [10] = "inet6", [16] = "netlink"};
  for (int family = 0; family < 46; family++) {
    char number[8];
    int any = -1;
    for (int kind = SOCK_STREAM; kind <= SOCK_SEQPACKET && any < 0; kind++) any = socket(family, kind, 0);
    snprintf(number, sizeof number, "%d", family);
    if (any >= 0) add_word(families[family] ? families[family] : number);
    close(any);
  }
  say("families of sockets");
  add("%s", outcome(socket(AF_INET, SOCK_RAW, 1)));
  say("a socket for raw packets");
  add("%s", outcome(socket(AF_INET, SOCK_DGRAM, 1)));
  say("a socket to ping with");
}

void the_kernel(void) {
  calls();
  doors();
}
