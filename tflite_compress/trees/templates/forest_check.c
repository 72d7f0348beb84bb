/* Runs the forest on test vectors and compares with what the original answered; exit code 0 if all agree.
 *
 *     cc -O2 -o check @@{name}.c @@{name}_check.c -lm && ./check
 */
#include <stdio.h>

#include "@@name.h"

#define SAMPLES @@samples

static const float inputs[SAMPLES][@@features] = {
@@inputs
};
static const float expected[SAMPLES][@@outputs] = {
@@expected
};
static const float tolerance = @@tolerance;

int main(void) {
    int wrong = 0;
    for (int s = 0; s < SAMPLES; s++) {
        float out[@@outputs];
        @@{name}_predict(inputs[s], out);
        for (int i = 0; i < @@outputs; i++) {
            float off = out[i] - expected[s][i];
            if (!(off <= tolerance && off >= -tolerance)) {
                wrong++;
                break;
            }
        }
    }
    printf("%d of %d test vectors agree\n", SAMPLES - wrong, SAMPLES);
    return wrong != 0;
}
