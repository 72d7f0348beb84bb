// Inputs and the outputs they must give; needs nothing of TFLite Micro.
#ifndef @@{guard}_VECTORS_H_
#define @@{guard}_VECTORS_H_

#include "@@{name}_settings.h"

namespace @@name {

constexpr int kVectors = @@count;

@@arrays

// For each output the largest difference to accept, in steps for integers.
extern const float kTolerance[kOutputs];

// One entry for each input and output: all vectors of it, one behind the other.
extern const void* const kInputVectors[kInputs];
extern const void* const kExpectedVectors[kOutputs];

}  // namespace @@name

#endif  // @@{guard}_VECTORS_H_
