#include "@@{name}_run.h"

#include <cmath>
#include <cstring>

#include "@@{name}_data.h"
#include "@@{name}_ops.h"
#include "@@{name}_settings.h"
#include "@@{name}_vectors.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_log.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace @@name {
namespace {

alignas(16) uint8_t arena[kArenaSize];

// Returns element `index` of a tensor's data as a float.
float Element(const void* data, TfLiteType type, int index) {
  switch (type) {
    case kTfLiteFloat32:
      return static_cast<const float*>(data)[index];
    case kTfLiteInt8:
      return static_cast<const int8_t*>(data)[index];
    case kTfLiteUInt8:
      return static_cast<const uint8_t*>(data)[index];
    case kTfLiteInt16:
      return static_cast<const int16_t*>(data)[index];
    case kTfLiteInt32:
      return static_cast<float>(static_cast<const int32_t*>(data)[index]);
    case kTfLiteInt64:
      return static_cast<float>(static_cast<const int64_t*>(data)[index]);
    case kTfLiteBool:
      return static_cast<const bool*>(data)[index] ? 1.0f : 0.0f;
    default:
      return NAN;
  }
}

bool OutputsAreRight(tflite::MicroInterpreter& interpreter, const void* const* vectors, int vector) {
  for (int output = 0; output < kOutputs; ++output) {
    const TfLiteTensor* tensor = interpreter.output(output);
    const char* expected = static_cast<const char*>(vectors[output]) + vector * tensor->bytes;
    float largest = 0.0f;
    const int width = static_cast<int>(tflite::TfLiteTypeGetSize(tensor->type));
    for (int i = 0; i < static_cast<int>(tensor->bytes) / width; ++i) {
      const float gap = std::fabs(Element(tensor->data.raw, tensor->type, i) - Element(expected, tensor->type, i));
      if (!(gap <= largest)) largest = gap;
    }
    if (!(largest <= kTolerance[output])) {
      MicroPrintf("vector %d, output %d: WRONG", vector, output);
      return false;
    }
  }
  return true;
}

// Runs all vectors and returns the number of those with wrong outputs.
int CountWrong(tflite::MicroInterpreter& interpreter, const void* const* expected, bool keep_state) {
  int wrong = 0;
  for (int vector = 0; vector < kVectors; ++vector) {
    if (vector == 0 || !keep_state) interpreter.Reset();  // sets the model's state back
    for (int input = 0; input < kInputs; ++input) {
      TfLiteTensor* tensor = interpreter.input(input);
      const char* values = static_cast<const char*>(kInputVectors[input]) + vector * tensor->bytes;
      std::memcpy(tensor->data.raw, values, tensor->bytes);
    }
    if (interpreter.Invoke() != kTfLiteOk || !OutputsAreRight(interpreter, expected, vector)) ++wrong;
  }
  return wrong;
}

}  // namespace

int CheckVectors() {
  const tflite::Model* model = tflite::GetModel(kModelData);
  if (model->version() != TFLITE_SCHEMA_VERSION) {
    MicroPrintf("the model has schema %d, not %d", static_cast<int>(model->version()), TFLITE_SCHEMA_VERSION);
    return -1;
  }
  static OpResolver resolver;
  if (RegisterOps(resolver) != kTfLiteOk) return -1;
  static tflite::MicroInterpreter interpreter(model, resolver, arena, kArenaSize);
  if (interpreter.AllocateTensors() != kTfLiteOk) {
    MicroPrintf("an arena of %d bytes is too small", kArenaSize);
    return -1;
  }
  MicroPrintf("arena used: %d of %d bytes", static_cast<int>(interpreter.arena_used_bytes()), kArenaSize);
  const int wrong = CountWrong(interpreter, kExpectedVectors, false);
  MicroPrintf("%d of %d vectors right", kVectors - wrong, kVectors);
  if (!kHasSequence) return wrong;
  const int late = CountWrong(interpreter, kSequenceVectors, true);
  MicroPrintf("%d of %d vectors right as one sequence", kVectors - late, kVectors);
  return wrong + late;
}

}  // namespace @@name
