// Sizes, quantization and helpers. Does not need TFLite Micro.
#ifndef @@{guard}_SETTINGS_H_
#define @@{guard}_SETTINGS_H_

#include <cmath>
#include <cstdint>
#include <limits>

namespace @@name {

// Tensor arena in bytes. @@arena_how.
constexpr int kArenaSize = @@arena;

// real = (raw - zero_point) * scale; the scale is 0 if values are not quantized.
struct Quantization {
  float scale;
  int32_t zero_point;
};

@@inputs

@@outputs
@@labels

// Quantizes a real number: rounded to the nearest step (halves to even), clipped to the type's range.
template <typename T>
inline T Quantize(float value, const Quantization& quantization) {
  const float step = std::nearbyint(value / quantization.scale) + static_cast<float>(quantization.zero_point);
  const float low = static_cast<float>(std::numeric_limits<T>::min());
  const float high = static_cast<float>(std::numeric_limits<T>::max());
  if (!(step > low)) return std::numeric_limits<T>::min();
  if (step > high) return std::numeric_limits<T>::max();
  return static_cast<T>(step);
}

// Returns the real number of a raw value.
template <typename T>
inline float Dequantize(T raw, const Quantization& quantization) {
  return static_cast<float>(static_cast<int32_t>(raw) - quantization.zero_point) * quantization.scale;
}

}  // namespace @@name

#endif  // @@{guard}_SETTINGS_H_
