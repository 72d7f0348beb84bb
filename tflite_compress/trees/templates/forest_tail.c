void @@{name}_predict(const float x[FEATURES], float out[@@outputs]) {
    @@cell grid[FEATURES];
    float raw[COLUMNS];
    @@{name}_to_grid(x, grid);
    @@{name}_raw(grid, raw);
@@link
}

int @@{name}_class(const float x[FEATURES]) {
    @@cell grid[FEATURES];
    float raw[COLUMNS];
    @@{name}_to_grid(x, grid);
    @@{name}_raw(grid, raw);
@@best
}
