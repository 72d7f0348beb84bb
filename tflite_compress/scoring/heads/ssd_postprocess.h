static inline float @@{name}_score(const float* const* outputs, int box, int number) {
  const int is_used = (float)box < @@{name}_at(outputs, @@count_output, 0, 0, 0);
  const int is_class = (int)rintf(@@{name}_at(outputs, @@class_output, box, 0, 0)) == number;
  return is_used && is_class ? @@{name}_at(outputs, @@score_output, box, 0, 0) : 0.0f;
}

static inline void @@{name}_corners(const float* const* outputs, int box, float* corners) {
  for (int i = 0; i < 4; ++i) corners[i] = @@{name}_at(outputs, @@box_output, box, i ^ 1, 0);  // y and x change places
}

static inline void @@{name}_prepare(const float* const* outputs) { (void)outputs; }
