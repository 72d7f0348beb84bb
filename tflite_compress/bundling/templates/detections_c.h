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

// Where values of an output of the original model are: a block of it is an output of this file.
typedef struct {
  int whole, output, start[3], size[3];
} @@{name}_piece;

static inline float @@{name}_at(const float* const* outputs, int whole, int i, int j, int k) {
  static const @@{name}_piece pieces[] = {@@pieces};
  for (const @@{name}_piece* piece = pieces; piece < pieces + @@piece_count; ++piece) {
    const int a = i - piece->start[0], b = j - piece->start[1], c = k - piece->start[2];
    if (piece->whole != whole || a < 0 || b < 0 || c < 0) continue;
    if (a >= piece->size[0] || b >= piece->size[1] || c >= piece->size[2]) continue;
    return outputs[piece->output][(a * piece->size[1] + b) * piece->size[2] + c];
  }
  return 0.0f;
}

static inline float @@{name}_sigmoid(float value) { return 1.0f / (1.0f + expf(-value)); }

static inline void @@{name}_centred(float x, float y, float width, float height, float* corners) {
  corners[0] = x - width / 2;
  corners[1] = y - height / 2;
  corners[2] = x + width / 2;
  corners[3] = y + height / 2;
}

@@decoder
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
//   min_score: smallest score, for example @@min_score.
//   found: room for `capacity` detections, at most @@{name}_max_detections of which are written.
// Not reentrant: candidates are static.
static inline int @@{name}_detect(const float* const* outputs, float min_score, @@{name}_detection* found, int capacity) {
  static @@{name}_detection candidates[@@{name}_candidates];
  int count = 0;
  @@{name}_prepare(outputs);
  for (int box = 0; box < @@{name}_boxes; ++box) {
    for (int number = 0; number < @@{name}_classes; ++number) {
      const float score = @@{name}_score(outputs, box, number);
      if (!(score >= min_score)) continue;
      if (count == @@{name}_candidates && score <= candidates[count - 1].score) continue;
      int place = count < @@{name}_candidates ? count++ : count - 1;
      for (; place > 0 && candidates[place - 1].score < score; --place) candidates[place] = candidates[place - 1];
      float corners[4];
      @@{name}_corners(outputs, box, corners);
      const @@{name}_detection one = {number, score, corners[0], corners[1], corners[2], corners[3]};
      candidates[place] = one;
    }
  }
  if (capacity > @@{name}_max_detections) capacity = @@{name}_max_detections;
  int kept = 0;
  for (int i = 0; i < count && kept < capacity; ++i) {
    bool is_free = true;
    for (int j = 0; j < kept && is_free; ++j) {
      is_free = @@keeps_overlaps || found[j].class_number != candidates[i].class_number ||
                @@{name}_overlap(&found[j], &candidates[i]) <= @@max_iou;
    }
    if (is_free) found[kept++] = candidates[i];
  }
  return kept;
}

#endif  // @@{guard}_DETECTIONS_H_
