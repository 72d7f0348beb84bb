// Runs the test vectors and prints the result to the serial monitor.
#include <@@{name}_run.h>

void setup() {
  Serial.begin(115200);
  while (!Serial) {
  }
  const int wrong = @@name::CheckVectors();
  Serial.println(wrong == 0 ? "all vectors right" : "WRONG: see the messages above");
}

void loop() {}
