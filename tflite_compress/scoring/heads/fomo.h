enum { @@{name}_cells = @@rows * @@columns };

// Objects by class and cell: the best score at the first cell of an object, else 0, and the object's box.
static float @@{name}_best[@@{name}_boxes], @@{name}_edges[@@{name}_boxes][4];

static inline float @@{name}_share(const float* const* outputs, int cell, int number) {
  const int row = cell / @@columns, column = cell % @@columns;
  const float value = @@{name}_at(outputs, @@output, row, column, number);
  if (!@@is_softmax) return value;
  float highest = value, sum = 0.0f;
  for (int i = 0; i <= @@{name}_classes; ++i) highest = fmaxf(highest, @@{name}_at(outputs, @@output, row, column, i));
  for (int i = 0; i <= @@{name}_classes; ++i) sum += expf(@@{name}_at(outputs, @@output, row, column, i) - highest);
  return expf(value - highest) / sum;
}

// Makes one object of neighbouring cells of a class. `left` holds the scores of cells without an object.
static inline void @@{name}_fill(float* left, int cell, float* best, float* edges) {
  static int waiting[@@{name}_cells];
  int count = 1, top = @@rows, bottom = 0, first = @@columns, last = 0;
  waiting[0] = cell;
  *best = left[cell];
  left[cell] = 0.0f;
  while (count > 0) {
    const int row = waiting[--count] / @@columns, column = waiting[count] % @@columns;
    top = row < top ? row : top;
    bottom = row > bottom ? row : bottom;
    first = column < first ? column : first;
    last = column > last ? column : last;
    for (int y = row - 1; y <= row + 1; ++y) {
      for (int x = column - 1; x <= column + 1; ++x) {
        if (y < 0 || x < 0 || y >= @@rows || x >= @@columns) continue;
        const int near = y * @@columns + x;
        if (!(left[near] > 0.0f)) continue;
        *best = fmaxf(*best, left[near]);
        left[near] = 0.0f;
        waiting[count++] = near;
      }
    }
  }
  edges[0] = (float)first / @@columns;
  edges[1] = (float)top / @@rows;
  edges[2] = (float)(last + 1) / @@columns;
  edges[3] = (float)(bottom + 1) / @@rows;
}

static inline void @@{name}_prepare(const float* const* outputs) {
  static float left[@@{name}_cells];
  for (int number = 0; number < @@{name}_classes; ++number) {
    for (int cell = 0; cell < @@{name}_cells; ++cell) {
      const float share = @@{name}_share(outputs, cell, 1 + number);
      left[cell] = share >= @@min_score ? share : 0.0f;
    }
    for (int cell = 0; cell < @@{name}_cells; ++cell) {
      const int box = number * @@{name}_cells + cell;
      @@{name}_best[box] = 0.0f;
      if (left[cell] > 0.0f) @@{name}_fill(left, cell, &@@{name}_best[box], @@{name}_edges[box]);
    }
  }
}

static inline float @@{name}_score(const float* const* outputs, int box, int number) {
  (void)outputs;
  return box / @@{name}_cells == number ? @@{name}_best[box] : 0.0f;
}

static inline void @@{name}_corners(const float* const* outputs, int box, float* corners) {
  (void)outputs;
  for (int i = 0; i < 4; ++i) corners[i] = @@{name}_edges[box][i];
}
