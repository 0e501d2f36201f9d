// Other processes: the agent's, and those of the same user.

#include "posture.h"
#include <sys/ptrace.h>
#include <sys/uio.h>

static void wait_out(pid_t child) {
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

static pid_t sleeper(void) {
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  return child;
}

void other_processes(void) {
  char memory[8];
  struct iovec ours = {memory, 8}, theirs = {memory, 8};
  add("%s", outcome(kill(1, SIGKILL)));
  usleep(50000);
  add(", and it %s", access("/proc/1/stat", F_OK) ? "is gone" : "lives on");
  say("init, killed");
  add("%s", outcome(ptrace(PTRACE_SEIZE, 1, 0, 0)));
  say("init, traced");
  add("%s", outcome(open("/proc/1/mem", O_RDWR)));
  say("init, its memory");
  add("%s", outcome(process_vm_readv(1, &ours, 1, &theirs, 1, 0)));
  say("init, its memory by a call");
  add("%s", outcome(open("/proc/1/root/etc", O_RDONLY)));
  say("init, its root");
  struct stat about;
  int agents = 0;
  for (int pid = 2; pid < 4096; pid++) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    agents += stat(path, &about) == 0 && !strcmp(field(path, ""), "warmcell-agent");
  }
  add("%d", agents);
  say("processes of the agent beside init");
  pid_t child = sleeper(), tracer = fork();
  if (tracer == 0) _exit(ptrace(PTRACE_SEIZE, child, 0, 0) ? errno : 0);
  int status = 0;
  waitpid(tracer, &status, 0);
  add("%s", outcome_of(WEXITSTATUS(status)));
  say("another process of its user, traced");
  add("%s", outcome(ptrace(PTRACE_SEIZE, child, 0, 0)));
  say("its own child, traced");
  wait_out(child);
}
