// The model, constant and 16-byte aligned, so that it stays in flash.
#ifndef @@{guard}_DATA_H_
#define @@{guard}_DATA_H_

namespace @@name {

extern const unsigned char kModelData[];
constexpr unsigned int kModelDataSize = @@size;

}  // namespace @@name

#endif  // @@{guard}_DATA_H_
