// Detections from the outputs of the model: head @@head, then non-maximum suppression. C99 and C++.
#ifndef @@{guard}_DETECTIONS_H_
#define @@{guard}_DETECTIONS_H_

#include <math.h>
#include <stdbool.h>

enum {
  @@{name}_boxes = @@boxes,
  @@{name}_classes = @@classes,
  @@{name}_candidates = @@candidates,  // boxes above the smallest score that are kept for suppression
  @@{name}_max_detections = @@max_detections
};

// A detection. Coordinates are shares of the image's width and height.
typedef struct {
  int class_number;
  float score, x_min, y_min, x_max, y_max;
} @@{name}_detection;

// Values of each box: an output of the model.
typedef struct {
  int output, values, is_column;
} @@{name}_part;

static inline float @@{name}_value(const float* const* outputs, int box, int value) {
  static const @@{name}_part parts[] = {@@parts};
  const @@{name}_part* part = parts;
  while (value >= part->values) {
    value -= part->values;
    ++part;
  }
  const float* data = outputs[part->output];
  return part->is_column ? data[value * @@{name}_boxes + box] : data[box * part->values + value];
}

static inline float @@{name}_share(const float* const* outputs, int box, int value) {
  const float found = @@{name}_value(outputs, box, value);
  return @@from_logits ? 1.0f / (1.0f + expf(-found)) : found;
}

// Returns the intersection over union of two detections.
static inline float @@{name}_overlap(const @@{name}_detection* a, const @@{name}_detection* b) {
  const float width = fminf(a->x_max, b->x_max) - fmaxf(a->x_min, b->x_min);
  const float height = fminf(a->y_max, b->y_max) - fmaxf(a->y_min, b->y_min);
  const float shared = fmaxf(width, 0.0f) * fmaxf(height, 0.0f);
  const float both = (a->x_max - a->x_min) * (a->y_max - a->y_min) + (b->x_max - b->x_min) * (b->y_max - b->y_min);
  return shared / fmaxf(both - shared, 1e-12f);
}

// Writes the detections of one image, best first, and returns their number.
//   outputs: real numbers of each output of the model, in its order.
//   min_score: smallest score, for example @@{min_score}f.
//   found: room for `capacity` detections, at most @@{name}_max_detections of which are written.
// Not reentrant: candidates are static.
static inline int @@{name}_detect(const float* const* outputs, float min_score, @@{name}_detection* found, int capacity) {
  static @@{name}_detection candidates[@@{name}_candidates];
  int count = 0;
  for (int box = 0; box < @@{name}_boxes; ++box) {
    const float sure = @@has_objectness ? @@{name}_share(outputs, box, 4) : 1.0f;
    for (int number = 0; number < @@{name}_classes; ++number) {
      const float score = sure * @@{name}_share(outputs, box, @@start + number);
      if (!(score >= min_score)) continue;
      if (count == @@{name}_candidates && score <= candidates[count - 1].score) continue;
      int place = count < @@{name}_candidates ? count++ : count - 1;
      for (; place > 0 && candidates[place - 1].score < score; --place) candidates[place] = candidates[place - 1];
      const float x = @@{name}_value(outputs, box, 0), y = @@{name}_value(outputs, box, 1);
      const float half_width = @@{name}_value(outputs, box, 2) / 2, half_height = @@{name}_value(outputs, box, 3) / 2;
      const @@{name}_detection one = {number, score, (x - half_width) / @@{width}f, (y - half_height) / @@{height}f,
                                (x + half_width) / @@{width}f, (y + half_height) / @@{height}f};
      candidates[place] = one;
    }
  }
  if (capacity > @@{name}_max_detections) capacity = @@{name}_max_detections;
  int kept = 0;
  for (int i = 0; i < count && kept < capacity; ++i) {
    bool is_free = true;
    for (int j = 0; j < kept && is_free; ++j) {
      is_free = found[j].class_number != candidates[i].class_number ||
                @@{name}_overlap(&found[j], &candidates[i]) <= @@{max_iou}f;
    }
    if (is_free) found[kept++] = candidates[i];
  }
  return kept;
}

#endif  // @@{guard}_DETECTIONS_H_
