package tflitecompress.@@name

import kotlin.math.exp
import kotlin.math.max
import kotlin.math.min

/** A detection. Coordinates are shares of the image's width and height. */
data class Detection(
    val classNumber: Int,
    val score: Float,
    val xMin: Float,
    val yMin: Float,
    val xMax: Float,
    val yMax: Float
)

/** Detections from the outputs of [@@Class]: head @@head, then non-maximum suppression. */
object @@{Class}Detections {
    private class Part(val output: Int, val values: Int, val isColumn: Boolean)

    private const val BOXES = @@boxes
    private const val CLASSES = @@classes
    private const val CANDIDATES = @@candidates
    private const val MAX_DETECTIONS = @@max_detections
    private const val MAX_IOU = @@{max_iou}f
    private val PARTS = listOf(@@parts)

    /**
     * Returns the detections of one image, best first.
     *
     * @param outputs what [@@Class.run] returns.
     * @param minScore smallest score.
     */
    fun detect(outputs: List<FloatArray>, minScore: Float = @@{min_score}f): List<Detection> {
        val candidates = ArrayList<Detection>()
        for (box in 0 until BOXES) {
            val sure = if (@@has_objectness) share(outputs, box, 4) else 1f
            for (number in 0 until CLASSES) {
                val score = sure * share(outputs, box, @@start + number)
                if (score >= minScore) candidates.add(detection(outputs, box, number, score))
            }
        }
        val kept = ArrayList<Detection>()
        for (one in candidates.sortedByDescending { it.score }.take(CANDIDATES)) {
            if (kept.size == MAX_DETECTIONS) break
            if (kept.none { it.classNumber == one.classNumber && overlap(it, one) > MAX_IOU }) kept.add(one)
        }
        return kept
    }

    private fun detection(outputs: List<FloatArray>, box: Int, number: Int, score: Float): Detection {
        val x = value(outputs, box, 0)
        val y = value(outputs, box, 1)
        val halfWidth = value(outputs, box, 2) / 2
        val halfHeight = value(outputs, box, 3) / 2
        return Detection(
            number,
            score,
            (x - halfWidth) / @@{width}f,
            (y - halfHeight) / @@{height}f,
            (x + halfWidth) / @@{width}f,
            (y + halfHeight) / @@{height}f
        )
    }

    private fun share(outputs: List<FloatArray>, box: Int, value: Int): Float {
        val found = value(outputs, box, value)
        return if (@@from_logits) 1 / (1 + exp(-found)) else found
    }

    private fun value(outputs: List<FloatArray>, box: Int, value: Int): Float {
        var left = value
        for (part in PARTS) {
            if (left < part.values) {
                val place = if (part.isColumn) left * BOXES + box else box * part.values + left
                return outputs[part.output][place]
            }
            left -= part.values
        }
        throw IndexOutOfBoundsException("a box has no value $value")
    }

    /** Returns the intersection over union. */
    private fun overlap(a: Detection, b: Detection): Float {
        val width = max(0f, min(a.xMax, b.xMax) - max(a.xMin, b.xMin))
        val height = max(0f, min(a.yMax, b.yMax) - max(a.yMin, b.yMin))
        val both = (a.xMax - a.xMin) * (a.yMax - a.yMin) + (b.xMax - b.xMin) * (b.yMax - b.yMin)
        return width * height / max(both - width * height, 1e-12f)
    }
}
