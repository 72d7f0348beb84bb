static inline float @@{name}_box_value(const float* const* outputs, int box, int value) {
  return @@box_is_column ? @@{name}_at(outputs, @@box_output, value, box, 0)
                         : @@{name}_at(outputs, @@box_output, box, value, 0);
}

static inline float @@{name}_score(const float* const* outputs, int box, int number) {
  const int value = @@score_start + number;
  const float found = @@score_is_column ? @@{name}_at(outputs, @@score_output, value, box, 0)
                                        : @@{name}_at(outputs, @@score_output, box, value, 0);
  return @@from_logits ? @@{name}_sigmoid(found) : found;
}

static inline void @@{name}_corners(const float* const* outputs, int box, float* corners) {
  @@{name}_centred(@@{name}_box_value(outputs, box, 0) / @@width, @@{name}_box_value(outputs, box, 1) / @@height,
                   @@{name}_box_value(outputs, box, 2) / @@width, @@{name}_box_value(outputs, box, 3) / @@height, corners);
}

static inline void @@{name}_prepare(const float* const* outputs) { (void)outputs; }
