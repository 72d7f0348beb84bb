    private class Decoder(private val values: Values) {
        /** Returns the heat of a cell that no neighbour exceeds, else 0. */
        fun score(box: Int, number: Int): Float {
            val heat = heat(box / @@columns, box % @@columns, number)
            for (row in max(box / @@columns - 1, 0)..min(box / @@columns + 1, @@rows - 1)) {
                for (column in max(box % @@columns - 1, 0)..min(box % @@columns + 1, @@columns - 1)) {
                    if (heat(row, column, number) > heat) return 0f
                }
            }
            return heat
        }

        fun corners(box: Int): FloatArray {
            val row = box / @@columns
            val column = box % @@columns
            return centred(
                (column + values.at(@@offset_output, row, column, 0)) / @@columns,
                (row + values.at(@@offset_output, row, column, 1)) / @@rows,
                values.at(@@size_output, row, column, 0) / @@columns,
                values.at(@@size_output, row, column, 1) / @@rows
            )
        }

        private fun heat(row: Int, column: Int, number: Int): Float {
            val found = values.at(@@heat_output, row, column, number)
            return if (@@from_logits) sigmoid(found) else found
        }
    }
