package tflitecompress.@@name

import android.content.Context
import com.google.ai.edge.litert.Accelerator
import org.json.JSONArray
import org.json.JSONObject

/** Runs the test vectors, which are in the assets of debug builds only. */
object @@{Class}Vectors {
    const val FILE = "@@{name}_vectors.json"

    /**
     * Largest differences from the expected outputs.
     *
     * @property accelerators what the model was compiled for.
     * @property vectors number of test vectors.
     * @property differences one per output, in steps for integer outputs; infinite for NaN.
     * @property tolerances the largest accepted differences.
     */
    class Result(
        val accelerators: List<Accelerator>,
        val vectors: Int,
        val differences: List<Double>,
        val tolerances: List<Double>
    ) {
        val isRight: Boolean get() = differences.zip(tolerances).all { (found, allowed) -> found <= allowed }

        override fun toString(): String {
            val verdict = if (isRight) "as expected" else "wrong"
            return "${@@{Class}.FILE} on ${accelerators.joinToString(" and ")}: outputs of $vectors test vectors are " +
                "$verdict; largest differences $differences, tolerances $tolerances"
        }
    }

    /** Runs all vectors on a model that has not run yet. */
    fun check(context: Context, model: @@Class): Result {
        val record = JSONObject(context.assets.open(FILE).bufferedReader().readText())
        val vectors = record.getJSONArray("vectors")
        val kind = model.accelerators.first { it != Accelerator.NONE }.name
        val tolerances = numbers(record.getJSONObject("tolerance").getJSONArray(kind)).toList()
        val differences = MutableList(tolerances.size) { 0.0 }
        for (v in 0 until vectors.length()) {
            val vector = vectors.getJSONObject(v)
            val found = model.runRaw(lists(vector.getJSONArray("inputs")))
            val expected = lists(vector.getJSONArray("expected"))
            for (output in expected.indices) {
                for (i in expected[output].indices) {
                    val gap = difference(found[output][i], expected[output][i])
                    differences[output] = maxOf(differences[output], gap)
                }
            }
        }
        return Result(model.accelerators, vectors.length(), differences, tolerances)
    }

    /** Returns the inputs of the first vector. */
    fun sample(context: Context): List<DoubleArray> {
        val record = JSONObject(context.assets.open(FILE).bufferedReader().readText())
        return lists(record.getJSONArray("vectors").getJSONObject(0).getJSONArray("inputs"))
    }

    private fun difference(found: Double, expected: Double): Double {
        if (found == expected || (found.isNaN() && expected.isNaN())) return 0.0
        val gap = Math.abs(found - expected)
        return if (gap.isNaN()) Double.POSITIVE_INFINITY else gap
    }

    private fun lists(arrays: JSONArray): List<DoubleArray> =
        List(arrays.length()) { numbers(arrays.getJSONArray(it)) }

    private fun numbers(array: JSONArray): DoubleArray = DoubleArray(array.length()) { array.getDouble(it) }
}
