    private class Decoder(private val values: Values) {
        fun score(box: Int, number: Int): Float =
            share(@@sure_output, box, @@sure_start) * share(@@score_output, box, @@score_start + number)

        fun corners(box: Int): FloatArray =
            centred(value(box, 0) / @@width, value(box, 1) / @@height, value(box, 2) / @@width, value(box, 3) / @@height)

        private fun share(output: Int, box: Int, value: Int): Float {
            val found = values.at(output, box, value, 0)
            return if (@@from_logits) sigmoid(found) else found
        }

        private fun value(box: Int, value: Int): Float = values.at(@@box_output, box, value, 0)
    }
