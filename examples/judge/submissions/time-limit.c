#include <stdio.h>

/* Adds one at a time. */
int main(void) {
  long long count, number;
  volatile long long sum = 0;
  if (scanf("%lld", &count) != 1) return 1;
  while (count-- > 0 && scanf("%lld", &number) == 1)
    while (number-- > 0) sum = sum + 1;
  printf("%lld\n", sum);
}
