// Checks the quantization helpers against the test vectors, without TFLite Micro: any C++ compiler will do.
#include <cstdio>

#include "src/@@{name}_vectors.h"

using namespace @@name;  // NOLINT

namespace {

@@arrays

// How many values do not quantize to what the vectors hold, or come back more than half a step away.
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
