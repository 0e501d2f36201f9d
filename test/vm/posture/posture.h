// What the parts of posture.c share: how a point is said, and how a failure is.

#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/// The answer that is being put together: adds to it, and says it.
void add(const char *format, ...);
void add_word(const char *word);
void say(const char *what);

/// `done`, or the name of the error.
const char *outcome(long result);
/// The same of an error's number.
const char *outcome_of(int error);

/// What a file of /proc says behind a name, without blanks around.
const char *field(const char *path, const char *name);

/// What `act` returns in a child of its own; of one that was ended by a signal its number, negated.
int as_child(int (*act)(void));

void what_it_sees(void);
void other_processes(void);
void the_kernel(void);
void more_rights(void);
