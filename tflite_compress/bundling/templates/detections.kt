package tflitecompress.@@name

import kotlin.math.exp
import kotlin.math.max
import kotlin.math.min
import kotlin.math.round

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
    private const val BOXES = @@boxes
    private const val CLASSES = @@classes
    private const val CANDIDATES = @@candidates
    private const val MAX_DETECTIONS = @@max_detections
    private const val MAX_IOU = @@max_iou
    private const val KEEPS_OVERLAPS = @@keeps_overlaps
    private val PIECES = listOf(@@pieces)

    /**
     * Returns the detections of one image, best first.
     *
     * @param outputs what [@@Class.run] returns.
     * @param minScore smallest score.
     */
    fun detect(outputs: List<FloatArray>, minScore: Float = @@min_score): List<Detection> {
        val decoder = Decoder(Values(outputs))
        val candidates = ArrayList<Detection>()
        for (box in 0 until BOXES) {
            for (number in 0 until CLASSES) {
                val score = decoder.score(box, number)
                if (!(score >= minScore)) continue
                val (xMin, yMin, xMax, yMax) = decoder.corners(box)
                candidates.add(Detection(number, score, xMin, yMin, xMax, yMax))
            }
        }
        val kept = ArrayList<Detection>()
        for (one in candidates.sortedByDescending { it.score }.take(CANDIDATES)) {
            if (kept.size == MAX_DETECTIONS) break
            val isTaken = kept.any { it.classNumber == one.classNumber && overlap(it, one) > MAX_IOU }
            if (KEEPS_OVERLAPS || !isTaken) kept.add(one)
        }
        return kept
    }

    /** A block of an output of the original model is an output of this file. */
    private class Piece(val whole: Int, val output: Int, val start: IntArray, val size: IntArray) {
        fun has(i: Int, j: Int, k: Int): Boolean =
            i >= start[0] && j >= start[1] && k >= start[2] &&
                i < start[0] + size[0] && j < start[1] + size[1] && k < start[2] + size[2]

        fun place(i: Int, j: Int, k: Int): Int =
            ((i - start[0]) * size[1] + j - start[1]) * size[2] + k - start[2]
    }

    private class Values(private val outputs: List<FloatArray>) {
        fun at(whole: Int, i: Int, j: Int, k: Int): Float {
            val piece = PIECES.first { it.whole == whole && it.has(i, j, k) }
            return outputs[piece.output][piece.place(i, j, k)]
        }
    }

    private fun sigmoid(value: Float): Float = 1 / (1 + exp(-value))

    private fun centred(x: Float, y: Float, width: Float, height: Float): FloatArray =
        floatArrayOf(x - width / 2, y - height / 2, x + width / 2, y + height / 2)

@@decoder
    /** Returns the intersection over union. */
    private fun overlap(a: Detection, b: Detection): Float {
        val width = max(0f, min(a.xMax, b.xMax) - max(a.xMin, b.xMin))
        val height = max(0f, min(a.yMax, b.yMax) - max(a.yMin, b.yMin))
        val both = (a.xMax - a.xMin) * (a.yMax - a.yMin) + (b.xMax - b.xMin) * (b.yMax - b.yMin)
        return width * height / max(both - width * height, 1e-12f)
    }
}
