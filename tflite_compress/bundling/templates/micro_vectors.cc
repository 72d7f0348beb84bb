#include "@@{name}_vectors.h"

namespace @@name {

@@arrays

const float kTolerance[kOutputs] = {@@tolerance};

@@tables

}  // namespace @@name
