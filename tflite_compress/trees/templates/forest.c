#include "@@name.h"

@@math#define FEATURES @@features
#define COLUMNS @@columns
#define TREES @@trees

/* Splits, numbered; a negative child -1 - r is row r of the leaves. */
@@tables
static const float base[COLUMNS] = {@@base};

void @@{name}_to_grid(const float x[FEATURES], @@cell grid[FEATURES]) {
@@to_grid
}

void @@{name}_raw(const @@cell grid[FEATURES], float raw[COLUMNS]) {
    @@sum sums[COLUMNS] = {0};
    for (int tree = 0; tree < TREES; tree++) {
        @@reference node = root[tree];
        while (node >= 0) {
            int column = @@column;
            node = (@@condition) ? right[node] : left[node];
        }
@@leaf
    }
    for (int i = 0; i < COLUMNS; i++) raw[i] = (float)sums[i] * @@scale + base[i];
}

@@tail