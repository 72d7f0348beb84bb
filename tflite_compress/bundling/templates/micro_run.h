// Runs the test vectors through TFLite Micro.
#ifndef @@{guard}_RUN_H_
#define @@{guard}_RUN_H_

namespace @@name {

// Returns the number of test vectors with wrong outputs, or -1 if the model cannot be loaded.
int CheckVectors();

}  // namespace @@name

#endif  // @@{guard}_RUN_H_
