#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Has a page ready for every number that there could be. */
int main(void) {
  for (int page = 0; page < 1000000; page++) {
    char *room = malloc(4096);
    if (room == NULL) return 1;
    memset(room, page, 4096);
  }
  puts("6");
}
