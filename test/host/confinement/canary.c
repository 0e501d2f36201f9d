/*
 * What a hypervisor that a guest has taken over could reach: tries it all, and prints a line for each, `part | what | outcome`.
 * Arguments: a pid of the host, a file that it may read, and the key of a shared memory of the host.
 * Or `hog MIB`: takes that much memory; `threads N`: starts that many processes; `sleep`: stays.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/capability.h>

static const char *outcome(long result) {
  static char text[32];
  if (result >= 0) return "DONE";
  switch (errno) {
    case EPERM: return "EPERM";
    case EACCES: return "EACCES";
    case EROFS: return "EROFS";
    case ESRCH: return "ESRCH";
    case ENOENT: return "ENOENT";
    case ENOSYS: return "ENOSYS";
    case EFBIG: return "EFBIG";
  }
  snprintf(text, sizeof text, "errno %d", errno);
  return text;
}

static void say(const char *part, const char *what, const char *how) { printf("%s | %s | %s\n", part, what, how); }

static void number(const char *part, const char *what, long value) {
  char text[32];
  snprintf(text, sizeof text, "%ld", value);
  say(part, what, text);
}

#define try(part, what, call) (errno = 0, say(part, what, outcome(call)))

static void user(void) {
  say("user", "is root", getuid() == 0 || geteuid() == 0 || getgid() == 0 || getegid() == 0 ? "yes" : "no");
  number("user", "other groups", getgroups(0, NULL));
  try("user", "become root", setuid(0));
}

static void capabilities(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};
  int bounding = 0, ambient = 0;
  syscall(SYS_capget, &header, data);
  for (int capability = 0; capability <= 63; capability++) {
    bounding += prctl(PR_CAPBSET_READ, capability) == 1;
    ambient += prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0) == 1;
  }
  say("capabilities", "effective, permitted, inheritable",
      data[0].effective | data[0].permitted | data[0].inheritable | data[1].effective | data[1].permitted | data[1].inheritable ? "some" : "none");
  number("capabilities", "bounding", bounding);
  number("capabilities", "ambient", ambient);
  number("privileges", "no new ones", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

static void system_calls(void) {
  static const struct { const char *name; long call; } calls[] = {
    {"mount", SYS_mount}, {"umount2", SYS_umount2}, {"pivot_root", SYS_pivot_root}, {"chroot", SYS_chroot}, {"unshare", SYS_unshare},
    {"setns", SYS_setns}, {"ptrace", SYS_ptrace}, {"process_vm_readv", SYS_process_vm_readv}, {"bpf", SYS_bpf},
    {"perf_event_open", SYS_perf_event_open}, {"io_uring_setup", SYS_io_uring_setup}, {"userfaultfd", SYS_userfaultfd},
    {"keyctl", SYS_keyctl}, {"add_key", SYS_add_key}, {"init_module", SYS_init_module}, {"finit_module", SYS_finit_module},
    {"kexec_load", SYS_kexec_load}, {"reboot", SYS_reboot}, {"open_by_handle_at", SYS_open_by_handle_at}, {"mknodat", SYS_mknodat},
    {"settimeofday", SYS_settimeofday}, {"clock_settime", SYS_clock_settime}, {"sethostname", SYS_sethostname}, {"syslog", SYS_syslog},
    {"socket", SYS_socket}, {"connect", SYS_connect}, {"bind", SYS_bind}, {"personality", SYS_personality}, {"acct", SYS_acct},
    {"swapon", SYS_swapon}, {"quotactl", SYS_quotactl}, {"fsopen", 430}, {"open_tree", 428}, {"mount_setattr", 442}, {"pidfd_getfd", 438},
    {"clone3", 435},
  };
  number("system-calls", "filter", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
  for (unsigned index = 0; index < sizeof calls / sizeof calls[0]; index++) try("system-calls", calls[index].name, syscall(calls[index].call, 0, 0, 0, 0, 0, 0));
  errno = 0;
  long cloned = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (cloned == 0) _exit(0);
  say("system-calls", "clone with a user namespace", outcome(cloned));
#ifdef __x86_64__
  fflush(stdout);
  for (int way = 0; way < 2; way++) {
    pid_t child = fork();
    if (child == 0) {
      long result;
      if (way == 0) __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
      else result = syscall(0x40000000 + SYS_getpid);
      _exit(result >= 0 ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    say("system-calls", way == 0 ? "of a 32-bit program" : "of the x32 ABI", WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? "killed" : "DONE");
  }
#endif
}

static void namespaces(pid_t of_host, key_t shared) {
  char name[65] = "";
  gethostname(name, sizeof name);
  number("namespaces", "own pid", getpid());
  number("namespaces", "parent in sight", getppid());
  try("namespaces", "signal a process of the host", kill(of_host, 0));
  try("namespaces", "shared memory of the host", shmget(shared, 0, 0));
  say("namespaces", "host name", name);
}

static int strangers, writable, devices;

static void walk(const char *path, int depth) {
  DIR *directory = opendir(path);
  if (directory == NULL || depth > 12) return;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    char child[4096];
    struct stat found;
    snprintf(child, sizeof child, "%s/%s", strcmp(path, "/") == 0 ? "" : path, entry->d_name);
    if (lstat(child, &found) != 0) continue;
    if (S_ISDIR(found.st_mode)) walk(child, depth + 1);
    else if (strncmp(child, "/program/", 9) != 0) {
      strangers++;
      printf("file-system | sees | %s\n", child);
    }
    if (S_ISCHR(found.st_mode) || S_ISBLK(found.st_mode)) devices++;
    if (access(child, W_OK) == 0 && !S_ISLNK(found.st_mode)) writable++;
  }
  closedir(directory);
}

static void file_system(const char *readable) {
  walk("/", 0);
  number("file-system", "devices", devices);
  number("file-system", "can be written", writable);
  try("file-system", "make a file", open("/made", O_CREAT | O_WRONLY, 0600));
  try("file-system", "make a directory", mkdir("/tmp", 0700));
  try("file-system", "open what it reads for writing", open(readable, O_RDWR));
  try("file-system", "change its mode", chmod(readable, 0666));
  try("file-system", "remove it", unlink(readable));
  try("file-system", "replace its program", open("/program/loader", O_WRONLY));
  try("file-system", "read it", open(readable, O_RDONLY | O_CLOEXEC));
}

static void limits(void) {
  static const struct { const char *name; int resource; } all[] = {
    {"core", RLIMIT_CORE}, {"open files", RLIMIT_NOFILE}, {"file size", RLIMIT_FSIZE}, {"locked memory", RLIMIT_MEMLOCK}, {"message queues", RLIMIT_MSGQUEUE},
  };
  struct rlimit limit;
  for (unsigned index = 0; index < sizeof all / sizeof all[0]; index++) {
    getrlimit(all[index].resource, &limit);
    number("limits", all[index].name, (long)limit.rlim_max);
  }
}

static void descriptors(void) {
  char text[256] = "";
  for (int descriptor = 0; descriptor < 256; descriptor++) {
    char one[8];
    struct stat found;
    if (fstat(descriptor, &found) < 0) continue;
    /* What its host was started with leads to nowhere: /dev/null. */
    if (descriptor > 2 && S_ISCHR(found.st_mode) && found.st_rdev == makedev(1, 3)) continue;
    snprintf(one, sizeof one, "%s%d", text[0] == 0 ? "" : " ", descriptor);
    strncat(text, one, sizeof text - strlen(text) - 1);
  }
  say("inherits", "descriptors", text);
}

int main(int count, char **arguments) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (count > 1 && strcmp(arguments[1], "--version") == 0) return 0;
  if (count > 2 && strcmp(arguments[1], "hog") == 0) {
    size_t bytes = (size_t)atoi(arguments[2]) << 20;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t at = 0; at < bytes; at += 4096) memory[at] = 1;
    return 0;
  }
  if (count > 2 && strcmp(arguments[1], "threads") == 0) {
    int started = 0;
    /* Not before its holder says so: until then it is not in its group. */
    char go;
    if (read(3, &go, 1) != 1) return 64;
    for (int index = 0; index < atoi(arguments[2]); index++) {
      pid_t child = fork();
      if (child == 0) { pause(); _exit(0); }
      started += child > 0;
    }
    dprintf(2, "%d", started);
    return 0;
  }
  if (count > 1 && strcmp(arguments[1], "sleep") == 0) { dprintf(2, "up"); for (;;) pause(); }
  /* What it tries would be done on a host. */
  if (count < 4 || getppid() > 1 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return 64;
  dup2(2, 1);
  close(2);
  descriptors();
  user();
  capabilities();
  system_calls();
  namespaces(atoi(arguments[1]), (key_t)strtoul(arguments[3], NULL, 0));
  file_system(arguments[2]);
  limits();
  return 0;
}
