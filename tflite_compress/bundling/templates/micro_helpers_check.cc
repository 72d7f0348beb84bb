// Checks the quantization helpers against the test vectors. Needs a C++ compiler, but not TFLite Micro.
#include <cstdio>

#include "src/@@{name}_vectors.h"

using namespace @@name;  // NOLINT

namespace {

@@arrays

// Returns the number of values that do not quantize to the raw value in the vectors, or do not round-trip.
template <typename T>
int CheckInput(const float* real, const T* raw, int count, const Quantization& quantization) {
  int wrong = 0;
  for (int i = 0; i < count; ++i) {
    if (Quantize<T>(real[i], quantization) != raw[i]) ++wrong;
    const float back = Dequantize<T>(raw[i], quantization);
    if (Quantize<T>(back, quantization) != raw[i]) ++wrong;
  }
  return wrong;
}

}  // namespace

int main() {
  int wrong = 0;
@@checks
  std::printf("%d values wrong\n", wrong);
  return wrong == 0 ? 0 : 1;
}
