static inline float @@{name}_heat(const float* const* outputs, int row, int column, int number) {
  const float found = @@{name}_at(outputs, @@heat_output, row, column, number);
  return @@from_logits ? @@{name}_sigmoid(found) : found;
}

// Returns the heat of a cell that no neighbour exceeds, else 0.
static inline float @@{name}_score(const float* const* outputs, int box, int number) {
  const int row = box / @@columns, column = box % @@columns;
  const float heat = @@{name}_heat(outputs, row, column, number);
  for (int y = row - 1; y <= row + 1; ++y) {
    for (int x = column - 1; x <= column + 1; ++x) {
      if (y < 0 || x < 0 || y >= @@rows || x >= @@columns) continue;
      if (@@{name}_heat(outputs, y, x, number) > heat) return 0.0f;
    }
  }
  return heat;
}

static inline void @@{name}_corners(const float* const* outputs, int box, float* corners) {
  const int row = box / @@columns, column = box % @@columns;
  @@{name}_centred(((float)column + @@{name}_at(outputs, @@offset_output, row, column, 0)) / @@columns,
                   ((float)row + @@{name}_at(outputs, @@offset_output, row, column, 1)) / @@rows,
                   @@{name}_at(outputs, @@size_output, row, column, 0) / @@columns,
                   @@{name}_at(outputs, @@size_output, row, column, 1) / @@rows, corners);
}

static inline void @@{name}_prepare(const float* const* outputs) { (void)outputs; }
