#include "tensorflow/lite/micro/tflm_stub.h"
