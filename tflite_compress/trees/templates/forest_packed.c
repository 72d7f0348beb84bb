#include "@@name.h"

@@math#define FEATURES @@features
#define COLUMNS @@columns
#define TREES @@trees
#define LEAF_BITS @@leaf_bits

/* Trees in preorder, as bits. A split: flags (1: left is a leaf, 2: right is a leaf), what it compares, the right leaf
   or how far ahead the right subtree is where neither is a leaf, the left leaf or subtree, the right subtree. */
@@tables
static const float base[COLUMNS] = {@@base};

void @@{name}_to_grid(const float x[FEATURES], @@cell grid[FEATURES]) {
@@to_grid
}

static uint32_t bits(uint32_t *at, unsigned count) {
    const uint8_t *from = nodes + (*at >> 3);
    uint32_t four = from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
    uint32_t value = four >> (*at & 7) & (((uint32_t)1 << count) - 1);
    *at += count;
    return value;
}

void @@{name}_raw(const @@cell grid[FEATURES], float raw[COLUMNS]) {
    int32_t sums[COLUMNS] = {0};
    for (int tree = 0; tree < TREES; tree++) {
        uint32_t at = (uint32_t)root[tree] << 3, last;
        do {
            uint32_t flags = bits(&at, @@flags);
@@compared
            uint32_t right = @@condition;
            last = right ? flags & 2 : flags & 1;
            if (flags & 3) {
                /* past the leaf that comes first, where it is not the one */
                if (right != (flags >> 1 & 1)) at += LEAF_BITS;
            } else {
                uint32_t ahead = bits(&at, bits(&at, @@length));
                if (right) at += ahead;
            }
        } while (!last);
        uint32_t entry = @@first + bits(&at, LEAF_BITS);
@@leaf
    }
    for (int i = 0; i < COLUMNS; i++) raw[i] = (float)sums[i] * @@scale + base[i];
}

@@tail