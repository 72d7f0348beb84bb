// Runs the test vectors through TFLite Micro.
#ifndef @@{guard}_RUN_H_
#define @@{guard}_RUN_H_

namespace @@name {

// How many vectors give wrong outputs; -1 where the model cannot be loaded.
int CheckVectors();

}  // namespace @@name

#endif  // @@{guard}_RUN_H_
