/* @@name: @@trees decision trees, @@features features. Plain C99: no library but math.h, no heap. */
#ifndef @@{guard}_H_
#define @@{guard}_H_

#include <stdint.h>

#define @@{guard}_FEATURES @@features
#define @@{guard}_OUTPUTS @@outputs

#ifdef __cplusplus
extern "C" {
#endif

/* Brings the features of a sample into the form thresholds are in. */
void @@{name}_to_grid(const float x[@@features], @@cell grid[@@features]);

/* The same as predict and class, for a sample that is in that form already. */
void @@{name}_raw(const @@cell grid[@@features], float raw[@@columns]);

/* Probabilities of the classes, or the predicted number. */
void @@{name}_predict(const float x[@@features], float out[@@outputs]);

/* Number of the likeliest class; of no use for regression. */
int @@{name}_class(const float x[@@features]);

#ifdef __cplusplus
}
#endif

#endif  /* @@{guard}_H_ */
