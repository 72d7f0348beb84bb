    private val ANCHORS = @@anchors // y, x, height and width of each

    private class Decoder(private val values: Values) {
        fun score(box: Int, number: Int): Float {
            val found = values.at(@@score_output, box, 1 + number, 0)
            return if (@@from_logits) sigmoid(found) else found
        }

        fun corners(box: Int): FloatArray {
            val y = ANCHORS[4 * box] + offset(box, 0) / @@centre_divisor * ANCHORS[4 * box + 2]
            val x = ANCHORS[4 * box + 1] + offset(box, 1) / @@centre_divisor * ANCHORS[4 * box + 3]
            val height = ANCHORS[4 * box + 2] * exp(min(offset(box, 2) / @@size_divisor, 20f))
            val width = ANCHORS[4 * box + 3] * exp(min(offset(box, 3) / @@size_divisor, 20f))
            return centred(x, y, width, height)
        }

        private fun offset(box: Int, value: Int): Float =
            values.at(@@box_output, box, value / @@inner, value % @@inner)
    }
