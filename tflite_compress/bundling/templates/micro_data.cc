#include "@@{name}_data.h"

namespace @@name {

alignas(16) extern const unsigned char kModelData[@@size] = {
@@rows
};

}  // namespace @@name
