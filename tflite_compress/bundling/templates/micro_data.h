// The model: constant, so that it stays in flash, and 16-byte aligned.
#ifndef @@{guard}_DATA_H_
#define @@{guard}_DATA_H_

namespace @@name {

extern const unsigned char kModelData[];
constexpr unsigned int kModelDataSize = @@size;

}  // namespace @@name

#endif  // @@{guard}_DATA_H_
