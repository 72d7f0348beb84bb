    private const val ROWS = @@rows
    private const val COLUMNS = @@columns
    private const val CELLS = ROWS * COLUMNS

    /** Objects by class and cell: the best score at the first cell of an object, else 0, and the object's box. */
    private class Decoder(private val values: Values) {
        private val best = FloatArray(BOXES)
        private val edges = Array(BOXES) { FloatArray(0) }

        init {
            for (number in 0 until CLASSES) {
                val left = FloatArray(CELLS) { share(it, 1 + number) }
                for (cell in 0 until CELLS) if (left[cell] < @@min_score) left[cell] = 0f
                for (cell in 0 until CELLS) if (left[cell] > 0) fill(left, cell, number * CELLS + cell)
            }
        }

        fun score(box: Int, number: Int): Float = if (box / CELLS == number) best[box] else 0f

        fun corners(box: Int): FloatArray = edges[box]

        private fun share(cell: Int, number: Int): Float {
            val cells = FloatArray(CLASSES + 1) { values.at(@@output, cell / COLUMNS, cell % COLUMNS, it) }
            if (!@@is_softmax) return cells[number]
            val highest = cells.fold(cells[0]) { a, b -> max(a, b) }
            var sum = 0f
            for (value in cells) sum += exp(value - highest)
            return exp(cells[number] - highest) / sum
        }

        /** Makes one object of neighbouring cells; [left] holds the scores of cells without an object. */
        private fun fill(left: FloatArray, cell: Int, box: Int) {
            val members = arrayListOf(cell)
            best[box] = left[cell]
            left[cell] = 0f
            var next = 0
            while (next < members.size) {
                val row = members[next] / COLUMNS
                val column = members[next++] % COLUMNS
                for (y in max(row - 1, 0)..min(row + 1, ROWS - 1)) {
                    for (x in max(column - 1, 0)..min(column + 1, COLUMNS - 1)) {
                        val near = y * COLUMNS + x
                        if (left[near] <= 0) continue
                        best[box] = max(best[box], left[near])
                        left[near] = 0f
                        members.add(near)
                    }
                }
            }
            val rows = members.map { it / COLUMNS }.sorted()
            val columns = members.map { it % COLUMNS }.sorted()
            edges[box] =
                floatArrayOf(
                    columns.first().toFloat() / COLUMNS,
                    rows.first().toFloat() / ROWS,
                    (columns.last() + 1f) / COLUMNS,
                    (rows.last() + 1f) / ROWS
                )
        }
    }
