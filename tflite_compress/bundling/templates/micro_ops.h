// The operators of the model: @@kinds
#ifndef @@{guard}_OPS_H_
#define @@{guard}_OPS_H_

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

namespace @@name {

using OpResolver = tflite::MicroMutableOpResolver<@@count>;

inline TfLiteStatus RegisterOps(OpResolver& resolver) {
@@calls
  return kTfLiteOk;
}

}  // namespace @@name

#endif  // @@{guard}_OPS_H_
