// What it sees: namespaces, what is masked, what it could write to, mounts, devices.

#include "posture.h"
#include <dirent.h>
#include <ftw.h>
#include <sys/sysmacros.h>

/// The machine's first namespaces have fixed numbers; that of mounts and of the network have not, but the agent's is the first there is.
static void namespaces(void) {
  static const struct { const char *name; unsigned first; } all[] = {{"pid", 0xeffffffc}, {"ipc", 0xefffffff}, {"uts", 0xeffffffe},
    {"cgroup", 0xeffffffb}, {"user", 0xeffffffd}, {"time", 0xeffffffa}, {"net", 0xf0000000}};
  for (size_t at = 0; at < sizeof all / sizeof *all; at++) {
    char path[64];
    struct stat about;
    snprintf(path, sizeof path, "/proc/self/ns/%s", all[at].name);
    if (stat(path, &about) == 0 && about.st_ino != all[at].first) add_word(all[at].name);
  }
  say("namespaces of its own");
}

static int is_seen(const char *path) {
  struct stat about;
  char byte;
  int seen = 0;
  if (stat(path, &about)) return 0;
  if (S_ISDIR(about.st_mode)) {
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory && (entry = readdir(directory));) seen |= strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    if (directory) closedir(directory);
    return seen;
  }
  int file = open(path, O_RDONLY | O_NONBLOCK);
  seen = file >= 0 && read(file, &byte, 1) == 1;
  close(file);
  return seen;
}

static void masks(void) {
  static const char *paths[] = {"/proc/acpi", "/proc/asound", "/proc/dynamic_debug", "/proc/kallsyms", "/proc/kcore", "/proc/key-users",
    "/proc/keys", "/proc/kmsg", "/proc/kpagecgroup", "/proc/kpagecount", "/proc/kpageflags", "/proc/latency_stats", "/proc/mtrr",
    "/proc/sched_debug", "/proc/scsi", "/proc/slabinfo", "/proc/timer_list", "/proc/timer_stats", "/proc/vmallocinfo", "/sys/firmware",
    "/sys/kernel/debug", "/sys/kernel/security", "/sys/kernel/tracing", "/sys/kernel/vmcoreinfo", "/sys/fs/bpf", "/sys/fs/cgroup"};
  for (size_t at = 0; at < sizeof paths / sizeof *paths; at++) {
    if (is_seen(paths[at])) add_word(paths[at]);
  }
  say("masked, and seen all the same");
}

static int writable_count;

static int look(const char *path, const struct stat *about, int type, struct FTW *at) {
  (void)at;
  // Not what stands in for it, which takes all and keeps nothing.
  if (type != FTW_F || !S_ISREG(about->st_mode)) return 0;
  int file = open(path, O_WRONLY | O_NONBLOCK);
  if (file < 0) return 0;
  close(file);
  if (writable_count++ < 5) add_word(path);
  return 0;
}

static void writable(void) {
  static const char *trees[] = {"/proc/sys", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/sysrq-trigger", "/sys"};
  for (size_t at = 0; at < sizeof trees / sizeof *trees; at++) nftw(trees[at], look, 16, FTW_PHYS);
  say("switches of the machine it can write to");
}

static void mounts(void) {
  static const char *points[] = {"/", "/proc", "/proc/sys", "/sys", "/dev", "/dev/pts", "/dev/shm"};
  for (size_t at = 0; at < sizeof points / sizeof *points; at++) {
    char id[16], what[64], text[1024], flags[64] = "";
    snprintf(id, sizeof id, " %s ", points[at]);
    FILE *file = fopen("/proc/self/mounts", "r");
    while (file && fgets(text, sizeof text, file)) {
      if (!strstr(text, id)) continue;
      for (const char *flag = "ro\0nosuid\0nodev\0noexec\0"; *flag; flag += strlen(flag) + 1) {
        char *options = strchr(strstr(text, id) + strlen(id), ' ');
        for (char *word = strtok(strdup(options), " ,"); word; word = strtok(NULL, " ,")) {
          if (!strcmp(word, flag)) strcat(strcat(flags, *flags ? " " : ""), flag);
        }
      }
    }
    if (file) fclose(file);
    add("%s", *flags ? flags : "rw");
    snprintf(what, sizeof what, "mount %s", points[at]);
    say(what);
  }
}

static char devices_seen[512][32];
static int devices_count;

static int note_device(const char *path, const struct stat *about, int type, struct FTW *at) {
  (void)type, (void)at;
  if ((S_ISCHR(about->st_mode) || S_ISBLK(about->st_mode)) && strncmp(path, "/dev/pts/", 9) && devices_count < 512) {
    snprintf(devices_seen[devices_count++], 32, "%s%s", path + 5, S_ISBLK(about->st_mode) ? "(block)" : "");
  }
  return 0;
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

static void devices(void) {
  nftw("/dev", note_device, 16, FTW_PHYS);
  qsort(devices_seen, devices_count, 32, by_name);
  for (int at = 0; at < devices_count; at++) add_word(devices_seen[at]);
  say("devices");
  static const struct { const char *what; mode_t kind; unsigned major, minor; } made[] = {{"make the root disk", S_IFBLK, 254, 0},
    {"make the agent's port", S_IFCHR, 10, 126}, {"make the kernel's memory", S_IFCHR, 1, 1}, {"make kvm", S_IFCHR, 10, 232}};
  for (size_t at = 0; at < sizeof made / sizeof *made; at++) {
    // Where everybody may write, so that it is not the directory that says no.
    add("%s", outcome(mknod("/dev/shm/device", made[at].kind | 0600, makedev(made[at].major, made[at].minor))));
    unlink("/dev/shm/device");
    say(made[at].what);
  }
}

void what_it_sees(void) {
  namespaces();
  masks();
  writable();
  mounts();
  devices();
}
