// Runs the test vectors on the board; exit code 0 if all outputs are correct.
#include "src/@@{name}_run.h"
#include "tensorflow/lite/micro/system_setup.h"

int main() {
  tflite::InitializeTarget();
  return @@name::CheckVectors() == 0 ? 0 : 1;
}
