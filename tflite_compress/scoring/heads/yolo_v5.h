static inline float @@{name}_share(const float* const* outputs, int output, int box, int value) {
  const float found = @@{name}_at(outputs, output, box, value, 0);
  return @@from_logits ? @@{name}_sigmoid(found) : found;
}

static inline float @@{name}_score(const float* const* outputs, int box, int number) {
  return @@{name}_share(outputs, @@sure_output, box, @@sure_start) *
         @@{name}_share(outputs, @@score_output, box, @@score_start + number);
}

static inline void @@{name}_corners(const float* const* outputs, int box, float* corners) {
  @@{name}_centred(@@{name}_at(outputs, @@box_output, box, 0, 0) / @@width,
                   @@{name}_at(outputs, @@box_output, box, 1, 0) / @@height,
                   @@{name}_at(outputs, @@box_output, box, 2, 0) / @@width,
                   @@{name}_at(outputs, @@box_output, box, 3, 0) / @@height, corners);
}

static inline void @@{name}_prepare(const float* const* outputs) { (void)outputs; }
