    private class Decoder(private val values: Values) {
        fun score(box: Int, number: Int): Float {
            val value = @@score_start + number
            val found =
                if (@@score_is_column) values.at(@@score_output, value, box, 0)
                else values.at(@@score_output, box, value, 0)
            return if (@@from_logits) sigmoid(found) else found
        }

        fun corners(box: Int): FloatArray =
            centred(value(box, 0) / @@width, value(box, 1) / @@height, value(box, 2) / @@width, value(box, 3) / @@height)

        private fun value(box: Int, value: Int): Float =
            if (@@box_is_column) values.at(@@box_output, value, box, 0) else values.at(@@box_output, box, value, 0)
    }
