// The part of TFLite Micro's interface that bundles use, without any implementation: for -fsyntax-only.
#pragma once
#include <cstddef>
#include <cstdint>
enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
enum TfLiteType {
  kTfLiteNoType = 0, kTfLiteFloat32 = 1, kTfLiteInt32 = 2, kTfLiteUInt8 = 3, kTfLiteInt64 = 4, kTfLiteBool = 6,
  kTfLiteInt16 = 7, kTfLiteInt8 = 9
};
union TfLitePtrUnion { float* f; int8_t* int8; char* raw; void* data; };
struct TfLiteTensor { TfLiteType type; TfLitePtrUnion data; size_t bytes; };
#define TFLITE_SCHEMA_VERSION (3)
void MicroPrintf(const char* format, ...);
namespace tflite {
struct Model { uint32_t version() const; };
const Model* GetModel(const void* data);
size_t TfLiteTypeGetSize(TfLiteType type);
void InitializeTarget();
class MicroOpResolver {};
template <unsigned int tOpCount>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  static_assert(tOpCount > 0, "no operators");
  TfLiteStatus AddAdd();
  TfLiteStatus AddExpandDims();
  TfLiteStatus AddTranspose();
  TfLiteStatus AddUnidirectionalSequenceLSTM();
  TfLiteStatus AddLogistic();
  TfLiteStatus AddTanh();
  TfLiteStatus AddShape();
  TfLiteStatus AddPack();
  TfLiteStatus AddStridedSlice();
  TfLiteStatus AddPad();
  TfLiteStatus AddMul();
  TfLiteStatus AddCast();
  TfLiteStatus AddConcatenation();
  TfLiteStatus AddGather();
  TfLiteStatus AddAveragePool2D();
  TfLiteStatus AddConv2D();
  TfLiteStatus AddDecode();
  TfLiteStatus AddDepthwiseConv2D();
  TfLiteStatus AddDequantize();
  TfLiteStatus AddEthosU();
  TfLiteStatus AddFullyConnected();
  TfLiteStatus AddMaxPool2D();
  TfLiteStatus AddMean();
  TfLiteStatus AddQuantize();
  TfLiteStatus AddReshape();
  TfLiteStatus AddSoftmax();
};
class MicroInterpreter {
 public:
  MicroInterpreter(const Model* model, const MicroOpResolver& resolver, uint8_t* arena, size_t size);
  TfLiteStatus AllocateTensors();
  TfLiteStatus Invoke();
  TfLiteStatus Reset();
  TfLiteTensor* input(size_t index);
  TfLiteTensor* output(size_t index);
  size_t arena_used_bytes() const;
};
}  // namespace tflite
