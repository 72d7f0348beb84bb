    private class Decoder(private val values: Values) {
        fun score(box: Int, number: Int): Float {
            val isUsed = box < values.at(@@count_output, 0, 0, 0)
            val isClass = round(values.at(@@class_output, box, 0, 0)).toInt() == number
            return if (isUsed && isClass) values.at(@@score_output, box, 0, 0) else 0f
        }

        // y and x change places
        fun corners(box: Int): FloatArray = FloatArray(4) { values.at(@@box_output, box, it xor 1, 0) }
    }
