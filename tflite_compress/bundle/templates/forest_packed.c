#include "@@name.h"

@@math#define FEATURES @@features
#define COLUMNS @@columns
#define TREES @@trees

/* Trees in preorder. A split: a byte of flags@@layout, the threshold, a number (row of the right leaf, or bytes to
   go ahead to the right subtree), then the row of the left leaf or the left subtree. Numbers: 7 bits a byte, the
   lowest first, top bit: more follow. */
@@tables
static const float base[COLUMNS] = {@@base};

void @@{name}_to_grid(const float x[FEATURES], @@cell grid[FEATURES]) {
@@to_grid
}

static uint32_t number(const uint8_t **at) {
    uint32_t value = 0;
    int shift = 0;
    uint8_t byte;
    do {
        byte = *(*at)++;
        value |= (uint32_t)(byte & 127) << shift;
        shift += 7;
    } while (byte & 128);
    return value;
}

void @@{name}_raw(const @@cell grid[FEATURES], float raw[COLUMNS]) {
    int32_t sums[COLUMNS] = {0};
    for (int tree = 0; tree < TREES; tree++) {
        const uint8_t *at = nodes + root[tree];
        uint32_t row;
        for (;;) {
            int flags = *at++;
            int column = @@column;
            @@cell threshold = @@threshold;
            at += @@skip;
            int right = @@condition;
            uint32_t ahead = number(&at);
            if (right) {
                if (flags & 2) {
                    row = ahead;
                    break;
                }
                at += ahead;
            } else if (flags & 1) {
                row = number(&at);
                break;
            }
        }
@@leaf
    }
    for (int i = 0; i < COLUMNS; i++) raw[i] = (float)sums[i] * @@scale + base[i];
}

@@tail