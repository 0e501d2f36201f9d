// What a program of a tenant finds and is let do, tried for real: a line for each point, `what<tab>answer`. Run in the guest by posture.test.ts.
// Names and not numbers are printed, and nothing that differs between two kernels or two runs: the answers are compared with a golden table.

#include "posture.h"
#include <stdarg.h>
#include <sys/xattr.h>

static char line[8192];

void add(const char *format, ...) {
  size_t length = strlen(line);
  va_list values;
  va_start(values, format);
  vsnprintf(line + length, sizeof line - length, format, values);
  va_end(values);
}

void add_word(const char *word) { add("%s%s", *line ? " " : "", word); }

void say(const char *what) {
  printf("%s\t%s\n", what, *line ? line : "none");
  fflush(stdout);
  *line = 0;
}

const char *outcome_of(int error) { return error ? strerrorname_np(error) : "done"; }

const char *outcome(long result) { return outcome_of(result < 0 ? errno : 0); }

const char *field(const char *path, const char *name) {
  static char text[4096];
  FILE *file = fopen(path, "r");
  if (!file) return "?";
  while (fgets(text, sizeof text, file)) {
    if (strncmp(text, name, strlen(name))) continue;
    char *value = text + strlen(name);
    value += strspn(value, " \t");
    value[strcspn(value, "\n")] = 0;
    fclose(file);
    return value;
  }
  fclose(file);
  return "?";
}

int as_child(int (*act)(void)) {
  pid_t child = fork();
  if (child == 0) _exit(act());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void capabilities(void) {
  static const char *names[] = {"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner", "sys_module", "sys_rawio",
    "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod",
    "lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read",
    "perfmon", "bpf", "checkpoint_restore"};
  static const char *sets[][2] = {{"CapEff:", "capabilities, effective"}, {"CapPrm:", "capabilities, permitted"},
    {"CapInh:", "capabilities, inheritable"}, {"CapBnd:", "capabilities, bounding"}, {"CapAmb:", "capabilities, ambient"}};
  for (size_t set = 0; set < 5; set++) {
    uint64_t bits = strtoull(field("/proc/self/status", sets[set][0]), NULL, 16);
    for (size_t at = 0; at < 64; at++) {
      if (bits >> at & 1) add_word(at < 41 ? names[at] : "unknown");
    }
    say(sets[set][1]);
  }
}

static void inheritance(void) {
  pid_t child = fork();
  if (child == 0) {
    execl("/proc/self/exe", "posture", "--status", NULL);
    _exit(1);
  }
  waitpid(child, NULL, 0);
}

int main(int count, char **arguments) {
  if (count > 1 && !strcmp(arguments[1], "--who")) return geteuid() != 0;
  if (count > 1 && !strcmp(arguments[1], "--nothing")) return 0;
  if (count > 2 && !strcmp(arguments[1], "--grant")) {
    // struct vfs_cap_data, version 2: effective, permitted, inheritable. net_bind_service is the tenth.
    uint32_t wish[5] = {0x02000001, 1 << 10};
    return setxattr(arguments[2], "security.capability", wish, sizeof wish, 0) != 0;
  }
  if (count > 1 && !strcmp(arguments[1], "--status")) {
    add("%s", strcmp(field("/proc/self/status", "Seccomp:"), "2") ? "NO FILTER" : "filter");
    say("what it starts, seccomp");
    return 0;
  }
  add("%d:%d", getuid(), getgid());
  say("user and group");
  capabilities();
  add("%s", field("/proc/self/status", "NoNewPrivs:"));
  say("no_new_privs");
  add("%s", strcmp(field("/proc/self/status", "Seccomp:"), "2") ? "NO FILTER" : "filter");
  say("seccomp");
  inheritance();
  what_it_sees();
  other_processes();
  the_kernel();
  more_rights();
  return 0;
}
