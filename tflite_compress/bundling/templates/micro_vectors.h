// Test vectors: inputs and expected outputs. Does not need TFLite Micro.
#ifndef @@{guard}_VECTORS_H_
#define @@{guard}_VECTORS_H_

#include "@@{name}_settings.h"

namespace @@name {

constexpr int kVectors = @@count;

@@arrays

// Maximum difference per output, in steps for integer outputs.
extern const float kTolerance[kOutputs];

// One entry per input and output: its values in all vectors, one after the other.
extern const void* const kInputVectors[kInputs];
extern const void* const kExpectedVectors[kOutputs];

}  // namespace @@name

#endif  // @@{guard}_VECTORS_H_
