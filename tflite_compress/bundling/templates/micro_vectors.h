// Test vectors: inputs and expected outputs. Does not need TFLite Micro.
#ifndef @@{guard}_VECTORS_H_
#define @@{guard}_VECTORS_H_

#include "@@{name}_settings.h"

namespace @@name {

constexpr int kVectors = @@count;

// True if the model keeps a state from one run to the next: then the vectors are also one sequence.
constexpr bool kHasSequence = @@has_sequence;

@@arrays

// Maximum difference per output, in steps for integer outputs.
extern const float kTolerance[kOutputs];

// One entry per input and output: its values in all vectors, one after the other.
extern const void* const kInputVectors[kInputs];
extern const void* const kExpectedVectors[kOutputs];  // each vector from a fresh state
extern const void* const kSequenceVectors[kOutputs];  // all vectors as one sequence; null without a state

}  // namespace @@name

#endif  // @@{guard}_VECTORS_H_
