static inline float @@{name}_offset(const float* const* outputs, int box, int value) {
  return @@{name}_at(outputs, @@box_output, box, value / @@inner, value % @@inner);
}

static inline float @@{name}_score(const float* const* outputs, int box, int number) {
  const float found = @@{name}_at(outputs, @@score_output, box, 1 + number, 0);
  return @@from_logits ? @@{name}_sigmoid(found) : found;
}

static inline void @@{name}_corners(const float* const* outputs, int box, float* corners) {
  static const float anchors[] = @@anchors;  // y, x, height and width of each
  const float* anchor = anchors + 4 * box;
  const float y = anchor[0] + @@{name}_offset(outputs, box, 0) / @@centre_divisor * anchor[2];
  const float x = anchor[1] + @@{name}_offset(outputs, box, 1) / @@centre_divisor * anchor[3];
  const float height = anchor[2] * expf(fminf(@@{name}_offset(outputs, box, 2) / @@size_divisor, 20.0f));
  const float width = anchor[3] * expf(fminf(@@{name}_offset(outputs, box, 3) / @@size_divisor, 20.0f));
  @@{name}_centred(x, y, width, height, corners);
}

static inline void @@{name}_prepare(const float* const* outputs) { (void)outputs; }
