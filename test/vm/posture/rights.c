// More rights than it was given: another user, namespaces, priority, limits, another root.

#include "posture.h"
#include <sys/resource.h>
#include <sys/syscall.h>

/// A copy of this program that belongs to root and has its bit set, run by a user: who it is then.
static int run_setuid(void) {
  if (geteuid() == 0 && (setgid(1000) || setuid(1000))) return 99;
  execl("/opt/posture-setuid", "posture", "--who", NULL);
  return 98;
}

/// One whose file asks for a capability that root has.
static int run_capable(void) {
  execl("/opt/posture-capable", "posture", "--nothing", NULL);
  return errno;
}

static int new_user(void) { return unshare(CLONE_NEWUSER) ? errno : 0; }
static int clone_user(void) {
  long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  return pid < 0 ? errno : 0;
}
static int clone_three(void) { return syscall(SYS_clone3, NULL, 0) ? errno : 0; }

void more_rights(void) {
  int who = as_child(run_setuid);
  add(who == 0 ? "root" : who == 1 ? "user" : "%d", who);
  say("a setuid program of root's, run by a user, is");
  add("%s", outcome_of(as_child(run_capable)));
  say("a program whose file asks for a capability");
  add("%s", outcome_of(as_child(new_user)));
  say("user namespace, by unshare");
  add("%s", outcome_of(as_child(clone_user)));
  say("user namespace, by clone");
  add("%s", outcome_of(as_child(clone_three)));
  say("clone3");
  struct sched_param priority = {1};
  add("%s", outcome(sched_setscheduler(0, SCHED_FIFO, &priority)));
  say("a real-time policy");
  add("%s", outcome(setpriority(PRIO_PROCESS, 0, -5)));
  say("a niceness below 0");
  struct rlimit limit = {0, 0};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_max++;
  add("%s", outcome(setrlimit(RLIMIT_NOFILE, &limit)));
  say("a hard limit raised");
  int score = open("/proc/self/oom_score_adj", O_WRONLY);
  add("%s", outcome(write(score, "-1000", 5)));
  say("never killed for want of memory");
  getrlimit(RLIMIT_CORE, &limit);
  add("%ld", (long)limit.rlim_cur);
  say("bytes of a core file");
  struct stat before, after;
  stat("/", &before);
  mkdir("/tmp/jail", 0755);
  if (chroot("/tmp/jail") == 0) {
    for (int up = 0; up < 64; up++) (void)!chdir("..");
    (void)!chroot(".");
    stat("/", &after);
    add(before.st_ino == after.st_ino && before.st_dev == after.st_dev ? "leads back to its own root" : "LEADS ELSEWHERE");
  } else {
    add("%s", outcome(-1));
  }
  say("out of a chroot");
}
